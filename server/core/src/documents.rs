//! Documents of collections, and their versions. Only the API reads and writes them.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, CollectionName, DocumentName};

use crate::store::StoreError;

/// One version of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// In which collection.
    pub collection: CollectionName,
    /// Its name.
    pub name: DocumentName,
    /// Counted from 1, also over a deletion: no version is ever two documents.
    pub version: u64,
    /// Its JSON; none where this version is that it was deleted.
    pub body: Option<String>,
    /// When the version was made.
    pub changed: Timestamp,
    /// By whom.
    pub by: AccountName,
}

/// Looking at documents.
pub trait DocumentRead {
    /// The newest version of a document, if it ever was.
    ///
    /// # Errors
    /// [`StoreError`].
    fn document(
        &self,
        collection: &CollectionName,
        name: &DocumentName,
    ) -> Result<Option<StoredDocument>, StoreError>;

    /// One version of a document, if it is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    fn document_version(
        &self,
        collection: &CollectionName,
        name: &DocumentName,
        version: u64,
    ) -> Result<Option<StoredDocument>, StoreError>;

    /// The documents that there are behind a name, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn documents_after(
        &self,
        collection: &CollectionName,
        after: &str,
        most: u64,
    ) -> Result<Vec<StoredDocument>, StoreError>;
}

/// Changing documents.
pub trait DocumentStore {
    /// Puts a version in the place of the version `over`, if that is the newest still; 0 if there never was one. Whether it did.
    /// Versions that are too old are deleted; all of them are where this one is that the document was deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_document(&self, document: &StoredDocument, over: u64) -> Result<bool, StoreError>;
}
