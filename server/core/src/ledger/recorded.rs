//! From written to durable: the types that stand between a decision and its reply.

use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::Checkpoint;
use countersign_protocol::message::Receipt;
use tlog_tiles::{Hash, check_record, record_hash};

use super::error::LedgerWriteError;
use super::storage::StorageFailure;

/// Size and root of the tree under a note that this ledger's key signed: here just now, or found good when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub(super) size: u64,
    pub(super) root: Digest,
    pub(super) note: String,
}

impl Head {
    /// Number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// RFC 6962 root hash over them.
    #[must_use]
    pub const fn root(&self) -> Digest {
        self.root
    }

    /// The note as it was signed.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }
}

impl From<Checkpoint> for Head {
    fn from(checkpoint: Checkpoint) -> Self {
        Self { size: checkpoint.size(), root: checkpoint.root(), note: checkpoint.note().to_owned() }
    }
}

/// A signed root inside a transaction that is not committed yet.
#[derive(Debug)]
#[must_use = "a sealed tree must be committed, or its transaction given up"]
pub struct Sealed {
    pub(super) checkpoint: Head,
}

impl Sealed {
    /// The checkpoint, for check-in replies written in the same transaction.
    #[must_use]
    pub const fn checkpoint(&self) -> &Head {
        &self.checkpoint
    }

    /// Runs `commit`, which must return `Ok` only when the transaction is on the disk.
    ///
    /// This is the one place where a [`CommitProof`] is made: whoever reviews its callers has reviewed durability.
    ///
    /// # Errors
    /// What `commit` returned: nothing was recorded, and nothing may be answered.
    pub fn commit(
        self,
        commit: impl FnOnce() -> Result<(), StorageFailure>,
    ) -> Result<CommitProof, LedgerWriteError> {
        commit()?;
        Ok(CommitProof { checkpoint: self.checkpoint })
    }
}

/// The tree under this checkpoint is on the disk.
#[derive(Debug, Clone)]
pub struct CommitProof {
    checkpoint: Head,
}

impl CommitProof {
    /// The checkpoint that is now the newest.
    #[must_use]
    pub const fn checkpoint(&self) -> &Head {
        &self.checkpoint
    }
}

/// A receipt whose entry is not known to be durable.
#[derive(Debug)]
#[must_use = "a pending receipt becomes one to send by `committed`"]
pub struct Pending {
    pub(super) receipt: Receipt,
}

impl Pending {
    /// The receipt, to be stored with its reply in the same transaction. Not to be sent.
    #[must_use]
    pub const fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// Shows that the commit carried this very entry: by its audit path, so that the proof of another
    /// transaction does not pass.
    ///
    /// # Errors
    /// [`LedgerWriteError::NotCommitted`].
    pub fn committed(self, proof: &CommitProof) -> Result<Recorded, LedgerWriteError> {
        let Receipt { index, entry, checkpoint, proof: path } = &self.receipt;
        let committed = &proof.checkpoint;
        let hashes = path.iter().map(|hash| Hash(*hash.as_bytes())).collect();
        let root: Digest = committed.root();
        let included =
            check_record(&hashes, committed.size(), Hash(*root.as_bytes()), *index, record_hash(&entry.0));
        if checkpoint != committed.note() || included.is_err() {
            return Err(LedgerWriteError::NotCommitted { index: *index });
        }
        Ok(Recorded { receipt: self.receipt })
    }
}

/// What happened is durably in the ledger: needed to send a reply. Made only by [`Pending::committed`] and
/// [`Ledger::recall`](super::Ledger::recall).
#[derive(Debug, Clone)]
#[must_use = "without its reply the one who asked learns nothing"]
pub struct Recorded {
    pub(super) receipt: Receipt,
}

impl Recorded {
    /// The receipt.
    #[must_use]
    pub const fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// The receipt, to be put into a reply.
    #[must_use]
    pub fn into_receipt(self) -> Receipt {
        self.receipt
    }
}
