//! What the ledger needs of a store.

use countersign_protocol::ids::Digest;
use countersign_protocol::message::result::{Evidence, ExportedEntry};

use super::error::LedgerWriteError;

/// The store could not read or write.
#[derive(Debug, thiserror::Error)]
#[error("the ledger's storage failed: {0}")]
pub struct StorageFailure(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl StorageFailure {
    /// In words, for a store that holds what it should not.
    #[must_use]
    pub fn saying(what: impl Into<String>) -> Self {
        Self(what.into().into())
    }
}

/// Reading the log, inside a write (seeing that write's own entries) or from committed state.
pub trait LedgerRead {
    /// How long the log is and what its newest checkpoint says, both of one moment.
    ///
    /// # Errors
    /// [`StorageFailure`].
    fn tip(&self) -> Result<Tip, StorageFailure>;

    /// Number of entries: one more than the greatest index, 0 for none.
    ///
    /// # Errors
    /// [`StorageFailure`].
    fn size(&self) -> Result<u64, StorageFailure> {
        Ok(self.tip()?.size)
    }

    /// The hashes stored at `positions`, in the same order, one for each.
    ///
    /// # Errors
    /// [`StorageFailure`], also if one of them is not there.
    fn hashes(&self, positions: &[u64]) -> Result<Vec<Digest>, StorageFailure>;

    /// Up to `most` entries from index `from` on, in order and without gaps, with their evidence unless erased.
    ///
    /// # Errors
    /// [`StorageFailure`].
    fn entries(&self, from: u64, most: u64) -> Result<Vec<ExportedEntry>, StorageFailure>;

    /// The newest checkpoint: its tree's size and the signed note.
    ///
    /// # Errors
    /// [`StorageFailure`].
    fn checkpoint(&self) -> Result<Option<(u64, String)>, StorageFailure> {
        Ok(self.tip()?.checkpoint)
    }
}

/// Where the log ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tip {
    /// Number of entries.
    pub size: u64,
    /// The newest checkpoint: its tree's size and the signed note.
    pub checkpoint: Option<(u64, String)>,
}

impl Tip {
    /// Whether the log has the `sealed` entries of its checkpoint, and `unsealed` of the transaction that asks, and no
    /// more.
    pub(super) fn ends_at(&self, sealed: u64, unsealed: u64) -> Result<(), LedgerWriteError> {
        let damaged = |what: String| Err(LedgerWriteError::Damaged(what));
        match &self.checkpoint {
            Some((size, _)) if *size != sealed => damaged(format!(
                "its last checkpoint is over {sealed} entries, and is said to be over {size}"
            )),
            _ if self.size != sealed.saturating_add(unsealed) => {
                let ours = sealed.saturating_add(unsealed);
                let is = self.size;
                damaged(format!(
                    "it has {is} entries, and this server wrote {ours}: somebody edited the database"
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Writing the log, inside one transaction with everything that the entries record.
pub trait LedgerTx: LedgerRead {
    /// Stores the entry at `index` – always the size so far – and its evidence beside it.
    ///
    /// # Errors
    /// [`StorageFailure`], also if there is an entry at that index.
    fn put_entry(
        &mut self,
        index: u64,
        entry: &[u8],
        evidence: Option<&Evidence>,
    ) -> Result<(), StorageFailure>;

    /// Stores hashes at `first`, `first + 1`, … – always the next free positions.
    ///
    /// # Errors
    /// [`StorageFailure`], also if one of the positions is taken.
    fn put_hashes(&mut self, first: u64, hashes: &[Digest]) -> Result<(), StorageFailure>;

    /// The entries that this transaction stored and no checkpoint of its own covers yet.
    fn unsealed(&self) -> u64;

    /// Makes `note` the newest checkpoint.
    ///
    /// # Errors
    /// [`StorageFailure`].
    fn put_checkpoint(&mut self, size: u64, note: &str) -> Result<(), StorageFailure>;
}

/// A [`LedgerRead`] that sees committed state only. Implement it for read-only views, **never** for a transaction
/// that writes: what it shows is taken as durable.
pub trait LedgerSnapshot: LedgerRead {}
