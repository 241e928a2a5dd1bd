//! Documents of collections: what is asked of them, and what comes of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::ids::{AccountName, CollectionName, DocumentName};

/// A document: a JSON object. It is the whole body of `create` on `COLLECTION/NAME`.
pub type Document = Map<String, Value>;

/// Body of `update` on `COLLECTION/NAME`: exactly one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentUpdate {
    /// Only if this is its version now; whatever it is, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<u64>,
    /// The whole of it from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
    /// What is to be another in it: a JSON Merge Patch (RFC 7396).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Document>,
}

/// Body of `delete` on `COLLECTION/NAME`; it may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentRemoval {
    /// Only if this is its version now; whatever it is, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<u64>,
}

/// Body of `read` on `COLLECTION/NAME`; it may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentAsked {
    /// An earlier version; the newest, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// Body of `list` on `collection/NAME`; it may be left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentsAsked {
    /// Only documents that hold all of this: an object holds another that has each of its members, however deep; anything else
    /// holds what it equals.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub filter: Document,
    /// Only those behind this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DocumentName>,
    /// At most so many, and no more than [`crate::limits::DOCUMENTS_PAGE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
    /// Without the documents themselves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub names_only: bool,
}

/// Result of `create`, `update` and `delete` on `COLLECTION/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentChanged {
    /// In which collection.
    pub collection: CollectionName,
    /// Its name.
    pub name: DocumentName,
    /// The version that the change made, counted from 1. Deleting makes one too.
    pub version: u64,
    /// It was like this before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
}

/// Result of `read` on `COLLECTION/NAME`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentShown {
    /// Its name.
    pub name: DocumentName,
    /// Which version this is.
    pub version: u64,
    /// When that was made.
    pub changed: Timestamp,
    /// By whom.
    pub by: AccountName,
    /// It; left out where only names were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
}

/// Result of `list` on `collection/NAME`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentList {
    /// By name.
    pub documents: Vec<DocumentShown>,
    /// Where to go on: there may be more behind this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<DocumentName>,
}
