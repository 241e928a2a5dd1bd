//! Which row.

use std::fmt;
use std::str::FromStr;

use countersign_protocol::ids::{AccountName, ApplicationName, CollectionName, Fingerprint};

/// One row that decides something, as a resource is named: `account/ana`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// Among which.
    pub collection: Collection,
    /// Its name.
    pub name: String,
}

/// Rows of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collection {
    /// Persons and services.
    Account,
    /// Registered software.
    Application,
    /// Collections of documents.
    Documents,
    /// Hosts.
    Instance,
    /// Policy documents.
    Policy,
}

impl Collection {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Account, Self::Application, Self::Documents, Self::Instance, Self::Policy];

    /// The word in resources and entries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Application => "application",
            Self::Documents => "collection",
            Self::Instance => "instance",
            Self::Policy => "policy",
        }
    }
}

impl Subject {
    /// An account.
    #[must_use]
    pub fn account(name: &AccountName) -> Self {
        Self { collection: Collection::Account, name: name.to_string() }
    }

    /// An application.
    #[must_use]
    pub fn application(name: &ApplicationName) -> Self {
        Self { collection: Collection::Application, name: name.to_string() }
    }

    /// A collection of documents.
    #[must_use]
    pub fn documents(name: &CollectionName) -> Self {
        Self { collection: Collection::Documents, name: name.to_string() }
    }

    /// A policy document.
    #[must_use]
    pub fn policy(name: &str) -> Self {
        Self { collection: Collection::Policy, name: name.to_owned() }
    }

    /// An instance.
    #[must_use]
    pub fn instance(fingerprint: &Fingerprint) -> Self {
        Self { collection: Collection::Instance, name: fingerprint.to_string() }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.collection.as_str(), self.name)
    }
}

/// The text names no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a row such as account/ana")]
pub struct NoSubject;

impl FromStr for Subject {
    type Err = NoSubject;

    fn from_str(text: &str) -> Result<Self, NoSubject> {
        let (collection, name) = text.split_once('/').ok_or(NoSubject)?;
        let known = Collection::ALL.into_iter().find(|one| one.as_str() == collection);
        Ok(Self { collection: known.ok_or(NoSubject)?, name: name.to_owned() })
    }
}
