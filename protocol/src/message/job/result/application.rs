//! Applications and their versions.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{AccountName, ApplicationName, Digest, Fingerprint, VersionName};
use crate::life::Life;

/// Body of `publish` on `application/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewVersion {
    /// Its name, once for ever.
    pub version: VersionName,
    /// SHA-256 of what is published.
    pub digest: Digest,
    /// What is new in it; at most [`limits::VERSION_NOTES`](crate::limits::VERSION_NOTES) bytes.
    pub notes: String,
}

/// Body of `retire-version` on `application/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedVersion {
    /// Which.
    pub version: VersionName,
}

/// Result of `publish` and `retire-version` on `application/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionChanged {
    /// Of which application.
    pub application: ApplicationName,
    /// Which version.
    pub version: VersionName,
    /// Where it stands now.
    pub state: Life,
    /// Hosts that said they run it.
    pub hosts: u64,
    /// `false` if it stood like this before.
    pub changed: bool,
}

/// Result of `approve`, `suspend`, `resume` and `retire` on `application/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationChanged {
    /// Which.
    pub application: ApplicationName,
    /// Where it stands now.
    pub state: Life,
    /// `false` if it stood like this before.
    pub changed: bool,
}

/// Result of `read` on `applications/all` and `applications/own`, and on `application/NAME` with just that one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationList {
    /// By name.
    pub applications: Vec<ApplicationShown>,
    /// There are others after the last one here.
    pub more: bool,
}

/// One application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationShown {
    /// Its name.
    pub application: ApplicationName,
    /// Whose it is. None of the first one, which came with the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountName>,
    /// Where it stands.
    pub state: Life,
    /// Primary fingerprint of the key in its bundle.
    pub key: Fingerprint,
    /// When it was registered.
    pub created: Timestamp,
    /// Its versions, the newest first. In a list of several applications there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<VersionShown>,
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionShown {
    /// Its name.
    pub version: VersionName,
    /// SHA-256 of what was published.
    pub digest: Digest,
    /// What is new in it.
    pub notes: String,
    /// When.
    pub published: Timestamp,
    /// When it was retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Timestamp>,
    /// Hosts that said they run it.
    pub hosts: u64,
}
