//! What a card signs, and the signature under it.

use std::sync::LazyLock;

use countersign_protocol::binary::Binary;
use countersign_protocol::envelope::statement::{StatementRules, verify, verify_later};
use countersign_protocol::ids::{Digest, Fingerprint};
use countersign_protocol::statement::{SignedStatement, Statement};

use crate::halves;
use crate::parties::{HOST, NOW, SERVER, fingerprint};

static SERVER_NAME: LazyLock<Fingerprint> = LazyLock::new(|| fingerprint(&SERVER));
static HOST_NAME: LazyLock<Fingerprint> = LazyLock::new(|| fingerprint(&HOST));

/// The statement that was ever signed with the key that plays the card.
const SIGNED: &[u8] = include_bytes!("../seeds/statement.json");

/// A signature and a statement.
pub(crate) fn play(bytes: &[u8]) -> bool {
    let Some((signature, statement)) = halves(bytes) else { return false };
    if let Ok(read) = Statement::from_bytes(statement) {
        let written = read.to_bytes();
        let again = written.as_ref().ok().and_then(|written| Statement::from_bytes(written).ok());
        // One that is small as it came may be too large as we would write it.
        assert!(written.is_err() || again.as_ref() == Some(&read), "another statement");
    }
    let signed =
        SignedStatement { statement: Binary(statement.to_vec()), signature: Binary(signature.to_vec()) };
    let rules = StatementRules { server: &SERVER_NAME, instance: &HOST_NAME, now: NOW };
    let taken = verify(&signed, &HOST, rules);
    if let Ok(taken) = &taken {
        assert_eq!(taken.digest(), Digest::of(SIGNED), "nobody signed that");
        assert_eq!(verify_later(&signed, &HOST).as_ref(), Ok(taken), "another answer later");
    }
    taken.is_ok()
}
