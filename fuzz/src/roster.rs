//! Rosters, which lie on hosts' disks.

use countersign_protocol::binary::Binary;
use countersign_protocol::envelope::open_roster;
use countersign_protocol::ids::Digest;
use countersign_protocol::roster::{Roster, SignedRoster};

use crate::halves;
use crate::parties::{HOST, NOW, SERVER, fingerprint};

/// The roster that was ever signed.
const SIGNED: &[u8] = include_bytes!("../seeds/roster.json");

/// A signature and a roster.
pub(crate) fn play(bytes: &[u8]) -> bool {
    let Some((signature, roster)) = halves(bytes) else { return false };
    if let Ok(read) = Roster::from_bytes(roster) {
        let again = read.to_bytes().ok().and_then(|written| Roster::from_bytes(&written).ok());
        assert_eq!(again.as_ref(), Some(&read), "another roster");
    }
    let signed = SignedRoster { roster: Binary(roster.to_vec()), signature: Binary(signature.to_vec()) };
    let opened = open_roster(&signed, &SERVER, &fingerprint(&HOST), NOW);
    if opened.is_ok() {
        assert_eq!(Digest::of(roster), Digest::of(SIGNED), "the server never signed that");
    }
    opened.is_ok()
}
