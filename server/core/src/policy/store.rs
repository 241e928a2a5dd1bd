//! What the policies need of a store: each change of a document is a row of its own, and never changes again.

use countersign_protocol::ids::PolicyName;
use countersign_protocol::message::result::PolicyVersion;

use super::document::Document;
use crate::store::StoreError;

/// Reading documents and their history.
pub trait PolicyRead {
    /// Number of changes so far, 0 before the first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn policy_epoch(&self) -> Result<u64, StoreError>;

    /// What the newest change was, word for word; none before the first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn newest_policy_change(&self) -> Result<Option<PolicyVersion>, StoreError>;

    /// The documents that were in force in this epoch, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn policies_at(&self, epoch: u64) -> Result<Vec<Document>, StoreError>;

    /// The newest version of each document, those that were taken out among them, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn newest_policies(&self) -> Result<Vec<PolicyVersion>, StoreError>;

    /// All versions of a document, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn policy_history(&self, name: &PolicyName) -> Result<Vec<PolicyVersion>, StoreError>;

    /// The text of one version; none where there is no such version, or the document was taken out with it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn policy_text(&self, name: &PolicyName, version: u64) -> Result<Option<String>, StoreError>;
}

/// Changing documents.
pub trait PolicyStore: PolicyRead {
    /// Adds a version, unless there is one of its number, or another change of its epoch. Without a text the document
    /// is taken out.
    ///
    /// # Errors
    /// [`StoreError`].
    fn change_policy(&self, version: &PolicyVersion, text: Option<&str>) -> Result<bool, StoreError>;
}
