//! Collections, who looks after them, and who was granted what.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{AccountName, CollectionName};
use crate::life::Life;

/// What may be done with the documents of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Read them.
    Read,
    /// Add some.
    Create,
    /// Change them.
    Update,
    /// Take them away.
    Delete,
}

impl Access {
    /// All there is.
    pub const ALL: [Self; 4] = [Self::Read, Self::Create, Self::Update, Self::Delete];

    /// The word in messages, policies and the store: that of the operation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

impl std::str::FromStr for Access {
    type Err = crate::ids::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|access| access.as_str() == text)
            .ok_or(crate::ids::InvalidId { expected: "one of read, create, update, delete" })
    }
}

/// Body of `create` on `collection/NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCollection {
    /// Whose it is: an account with the role `resource`. Whoever asks, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountName>,
    /// The JSON Schema of its documents, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

/// Body of `update` on `collection/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionUpdate {
    /// The JSON Schema of its documents from now on, as text; none if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

/// Body of `grant` and `withdraw` on `collection/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// To whom, or from whom.
    pub account: AccountName,
    /// What. Not given for `withdraw`: everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<Access>,
}

/// Body of `appoint` and `dismiss` on `collection/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Appointment {
    /// Whom: an account with the role `resource-administrator`.
    pub account: AccountName,
}

/// Result of `read` on `collections/all` and `collections/own`, and of everything on `collection/NAME`, as it is then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionList {
    /// By name.
    pub collections: Vec<CollectionShown>,
    /// There are others after the last one here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Of a change: it was like this before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
}

/// One collection. In a list of several it comes without its schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionShown {
    /// Its name.
    pub collection: CollectionName,
    /// Whose it is.
    pub owner: AccountName,
    /// Where it stands.
    pub state: Life,
    /// When it was made.
    pub created: Timestamp,
    /// The JSON Schema of its documents, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Who may grant on it beside its owner, by name.
    pub administrators: Vec<AccountName>,
    /// Who was granted what, by name. In `collections/own` only what whoever asks was granted, unless they may grant.
    pub grants: Vec<Grant>,
}
