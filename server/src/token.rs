//! An enrolment token made on the server's own machine: the way back in when no host is left to administer from.

use countersign_protocol::clock::Clock;
use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ledger::{Entry, EntryKind, Outcome};
use countersign_protocol::message::result::TokenCreated;
use countersign_protocol::random::{NoRandomness, Random};
use countersign_server_core::jobs;
use countersign_server_core::ledger::{LedgerWriteError, StorageFailure};
use countersign_server_core::stop::Stop;
use countersign_server_core::store::{Store, StoreError};

use crate::open::Keys;

/// No token was made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerWriteError),
    /// The kernel.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The token.
    #[error("{0}")]
    Token(#[from] Stop),
    /// It names nothing that could be told apart.
    #[error("{0:?} is no name for a token: 1 to 64 of A-Z a-z 0-9 . _ -")]
    Name(String),
    /// Somebody had the same idea.
    #[error("there is an enrolment token {0:?} already; choose another name")]
    Taken(String),
}

/// Longest name.
const NAME: usize = 64;

/// Makes the token, and an entry about it in the ledger.
///
/// # Errors
/// [`TokenError`]; then nothing was changed.
pub fn token(
    store: &dyn Store,
    keys: &Keys,
    name: &str,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<TokenCreated, TokenError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !(1..=NAME).contains(&name.len()) || !name.chars().all(plain) {
        return Err(TokenError::Name(name.to_owned()));
    }
    let now = clock.now();
    let mut tx = store.begin()?;
    let created = jobs::new_token(&*tx, random, &keys.pepper, name, now)?
        .ok_or_else(|| TokenError::Taken(name.to_owned()))?;
    let mut entry = Entry::new(
        EntryKind::Bootstrap,
        now,
        CorrelationId::new(random)?,
        Outcome::Noted,
        "an enrolment token was made on the server's own machine",
    );
    entry.detail.insert("token".into(), name.to_owned());
    let _beside = keys.ledger.append(&mut *tx, &entry, None)?;
    let proof =
        keys.ledger.seal(&mut *tx)?.commit(|| tx.commit().map_err(|error| StorageFailure(error.into())))?;
    drop(proof);
    Ok(created)
}
