//! Is this entry in the log, and is it about my request?

use super::checkpoint::{Checkpoint, check_record_in};
use super::entry::Entry;
use super::error::LedgerError;
use super::key::LedgerKey;
use crate::ids::{Digest, MessageId};
use crate::message::Receipt;

/// An entry that the ledger's key has vouched for. Made only by [`check_receipt`]. It is about
/// *some* request: ask [`ProvenEntry::answers`] about yours.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ProvenEntry {
    entry: Entry,
    index: u64,
    checkpoint: Checkpoint,
}

/// Checks the checkpoint's signature, then the audit path from the entry's exact bytes to its root.
///
/// # Errors
/// [`LedgerError`]: the receipt proves nothing.
pub fn check_receipt(receipt: &Receipt, key: &LedgerKey) -> Result<ProvenEntry, LedgerError> {
    let checkpoint = key.checkpoint(&receipt.checkpoint)?;
    check_record_in(&checkpoint, receipt.index, &receipt.entry.0, &receipt.proof)?;
    let entry = Entry::from_bytes(&receipt.entry.0)?;
    Ok(ProvenEntry { entry, index: receipt.index, checkpoint })
}

impl ProvenEntry {
    /// The entry.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Its place in the log, counted from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint that vouches for it; newer ones must continue it.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Is this the entry about the message `message`, which carried the statement with the SHA-256 `statement`
    /// (of [`SignedStatement::statement`](crate::statement::SignedStatement)), or none?
    ///
    /// # Errors
    /// [`LedgerError::AnotherRequest`]: a true receipt, of something else.
    pub fn answers(&self, message: &MessageId, statement: Option<&Digest>) -> Result<(), LedgerError> {
        if self.entry.message.as_ref() != Some(message) {
            return Err(LedgerError::AnotherRequest("it names another message"));
        }
        if self.entry.statement.as_ref() != statement {
            return Err(LedgerError::AnotherRequest("it names another statement"));
        }
        Ok(())
    }
}
