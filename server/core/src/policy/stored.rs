//! Policies in a store.

use countersign_protocol::clock::Timestamp;

use crate::store::StoreError;

/// The texts that were in force, each under the number that the ledger's entries name.
pub trait PolicyStore {
    /// The number of this text, if it is the one that was in force last.
    ///
    /// # Errors
    /// [`StoreError`].
    fn policy_epoch(&self, text: &str) -> Result<Option<u64>, StoreError>;

    /// Puts a text into force, and says its number: one more than the last, and 1 for the first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_policy(&self, text: &str, now: Timestamp) -> Result<u64, StoreError>;
}
