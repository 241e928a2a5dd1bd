//! Why an entry could not be written.

use countersign_protocol::ledger::LedgerError;
use countersign_protocol::random::NoRandomness;

use super::storage::StorageFailure;

/// Nothing was recorded, so nothing may happen.
#[derive(Debug, thiserror::Error)]
pub enum LedgerWriteError {
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageFailure),
    /// What the store gave back is not the log that was written.
    #[error("the stored ledger is damaged: {0}. Stop the server and restore the last backup")]
    Damaged(String),
    /// The entry breaks its own rules.
    #[error(transparent)]
    Entry(#[from] LedgerError),
    /// Evidence and entry do not belong together.
    #[error("the evidence is not the one the entry names")]
    Evidence,
    /// The signing key cannot be used.
    #[error("the ledger's signing key cannot be used: {0}")]
    Key(String),
    /// No randomness for a new key.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The commit that was shown does not carry this entry.
    #[error("entry {index} is not in the ledger that was committed; its reply must not be sent")]
    NotCommitted {
        /// The entry's place.
        index: u64,
    },
    /// There is no such entry.
    #[error("the ledger has no entry {index}; its last checkpoint covers {size} entries")]
    NoSuchEntry {
        /// The place asked for.
        index: u64,
        /// Size of the newest checkpoint.
        size: u64,
    },
}
