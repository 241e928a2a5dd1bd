//! The signed head of the tree.

use tlog_tiles::{Hash, check_record, check_tree, record_hash};

use super::error::LedgerError;
use crate::ids::Digest;

/// The largest tree that anything here works with: at ten thousand entries a second, 900 years.
pub const LARGEST: u64 = 1 << 48;

/// Size and root of the tree, under the signature of the ledger's key. Made only by
/// [`LedgerKey::checkpoint`](super::LedgerKey::checkpoint).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    size: u64,
    root: Digest,
    note: String,
}

impl Checkpoint {
    /// Of the text of a note whose signature was good.
    pub(super) fn signed(text: &[u8], origin: &str, note: &str) -> Result<Self, LedgerError> {
        let refused = |why: &str| LedgerError::Checkpoint(why.to_owned());
        let read = tlog_tiles::Checkpoint::from_bytes(text).map_err(|error| refused(&error.to_string()))?;
        if read.origin() != origin {
            return Err(refused("its origin is another log"));
        }
        if !read.extension().is_empty() {
            return Err(refused("it has lines that this program does not know"));
        }
        if read.size() > LARGEST {
            return Err(refused("its size is beyond any ledger"));
        }
        Ok(Self { size: read.size(), root: Digest::from_bytes(read.hash().0), note: note.to_owned() })
    }

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

/// Is the entry of these bytes at `index` in the log of this checkpoint?
pub(super) fn check_record_in(
    checkpoint: &Checkpoint,
    index: u64,
    entry: &[u8],
    proof: &[Digest],
) -> Result<(), LedgerError> {
    let proof = proof.iter().map(|hash| Hash(*hash.as_bytes())).collect();
    let root = Hash(*checkpoint.root().as_bytes());
    check_record(&proof, checkpoint.size(), root, index, record_hash(entry))
        .map_err(|_| LedgerError::NotIncluded { index, size: checkpoint.size() })
}

/// Is the log of `new` the one of which `seen_size` entries with root `seen_root` were seen before, only longer?
///
/// # Errors
/// [`LedgerError::RolledBack`] or [`LedgerError::Rewritten`]: the caller raises an alarm and keeps what it has seen.
pub fn check_consistency(
    seen_size: u64,
    seen_root: Digest,
    new: &Checkpoint,
    proof: &[Digest],
) -> Result<(), LedgerError> {
    if new.size < seen_size {
        return Err(LedgerError::RolledBack { seen: seen_size, now: new.size });
    }
    let continues = if seen_size == 0 {
        // Everything continues the empty log, and there is nothing to prove it with.
        proof.is_empty()
    } else {
        let proof = proof.iter().map(|hash| Hash(*hash.as_bytes())).collect();
        check_tree(&proof, new.size, Hash(*new.root.as_bytes()), seen_size, Hash(*seen_root.as_bytes()))
            .is_ok()
    };
    if continues { Ok(()) } else { Err(LedgerError::Rewritten { seen: seen_size, now: new.size }) }
}
