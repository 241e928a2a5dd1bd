//! Why a message went no further.

use countersign_protocol::random::NoRandomness;

use crate::ledger::{LedgerWriteError, StorageFailure};
use crate::refusal::Reason;
use crate::store::StoreError;

/// The message stops here, and whatever it did so far is taken back.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// It asks for what it may not have. It is answered with a refusal, and the ledger hears why.
    #[error("refused: {0}")]
    Refused(#[from] Reason),
    /// We could not do our part. Nothing happened; the sender may try the same bytes again.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Something the server needs did not work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Our own clock.
    #[error("the clock is {0} s behind what was forgotten by it; set it right, or wait")]
    Clock(i64),
    /// The ledger: what cannot be recorded does not happen.
    #[error("the ledger could not be written: {0}")]
    Ledger(#[from] LedgerWriteError),
    /// The kernel's randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// A reply could not be written, sealed or read back.
    #[error("the reply could not be made: {0}")]
    Reply(String),
    /// The server's own subkeys.
    #[error("the server's own keys: {0}")]
    Keys(String),
    /// The policy engine.
    #[error("the policy could not be asked: {0}")]
    Policy(String),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<LedgerWriteError> for Stop {
    fn from(error: LedgerWriteError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<NoRandomness> for Stop {
    fn from(error: NoRandomness) -> Self {
        Self::Failed(error.into())
    }
}

impl Failure {
    /// Whether the database holds what this program did not write, and is not merely out of reach.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Store(StoreError::Corrupt(_)) | Self::Ledger(LedgerWriteError::Damaged(_)) => true,
            Self::Ledger(LedgerWriteError::Storage(StorageFailure(error))) => {
                matches!(error.downcast_ref::<StoreError>(), Some(StoreError::Corrupt(_)))
            }
            _ => false,
        }
    }
}

impl From<StorageFailure> for Failure {
    fn from(StorageFailure(error): StorageFailure) -> Self {
        match error.downcast::<StoreError>() {
            Ok(error) => Self::Store(*error),
            Err(error) => Self::Store(StoreError::Unavailable(error.to_string())),
        }
    }
}

impl From<StorageFailure> for Stop {
    fn from(error: StorageFailure) -> Self {
        Self::Failed(error.into())
    }
}
