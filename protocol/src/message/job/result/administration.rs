//! Who and what the server knows, and what became of them.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{
    AccountName, ApplicationName, CardIdent, Fingerprint, GroupName, LoginName, Role, VersionName,
};
use crate::message::{InstanceState, KeyStore};

/// Result of `revoke` on `key/FINGERPRINT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRevoked {
    /// Whose it was.
    pub account: AccountName,
    /// Primary fingerprint of the certificate that is worth nothing any more.
    pub key: Fingerprint,
    /// `false` if it was revoked before.
    pub changed: bool,
    /// The key on the account's other card, with which it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<KeyShown>,
}

/// Body of `update` on `account/NAME`: what is not given stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountUpdate {
    /// All its login names from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logins: Option<Vec<LoginName>>,
    /// All its roles from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
    /// All its groups from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<GroupName>>,
}

/// Result of `suspend`, `resume`, `update` and `retire` on `account/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountChanged {
    /// Which.
    pub account: AccountName,
    /// `pending`, `active`, `suspended` or `retired`.
    pub state: String,
    /// `false` if it stood like this before.
    pub changed: bool,
}

/// Result of `erase` on `account/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountErased {
    /// Which.
    pub account: AccountName,
    /// What it signed, and is gone: so many statements.
    pub statements: u64,
}

/// Result of `suspend`, `resume` and `revoke` on `instance/FINGERPRINT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceChanged {
    /// Which.
    pub instance: Fingerprint,
    /// What it calls itself.
    pub claimed_hostname: String,
    /// Where it stands now.
    pub state: InstanceState,
    /// It was marked as seen twice, and is not any more.
    pub fork_lifted: bool,
    /// `false` if it stood like this before.
    pub changed: bool,
}

/// Body of `read` on `accounts/all` and on `instances/all`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListAfter {
    /// Only what comes after this name or fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Result of `read` on `accounts/all`, and on `account/NAME` with just that one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountList {
    /// By name.
    pub accounts: Vec<AccountShown>,
    /// There are others after the last one here.
    pub more: bool,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountShown {
    /// Its name.
    pub account: AccountName,
    /// `pending`, `active`, `suspended` or `retired`.
    pub state: String,
    /// Its roles.
    pub roles: Vec<Role>,
    /// The groups that it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupName>,
    /// The login names it may open.
    pub logins: Vec<LoginName>,
    /// The key it signs with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyShown>,
    /// The key on its second card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<KeyShown>,
    /// Keys that were revoked, the newest first.
    pub revoked: Vec<KeyShown>,
    /// When a request of it was last taken, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
}

/// One key of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyShown {
    /// Primary fingerprint of its certificate.
    pub key: Fingerprint,
    /// The fingerprints in the card's signature slot that it is known by.
    pub signing: Vec<Fingerprint>,
    /// The card it was registered from, as the host said that saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
    /// When it was registered.
    pub registered: Timestamp,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
}

/// Result of `read` on `instances/all`, and on `instance/FINGERPRINT` with just that one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceList {
    /// By fingerprint.
    pub instances: Vec<InstanceShown>,
    /// There are others after the last one here.
    pub more: bool,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceShown {
    /// Its primary fingerprint.
    pub instance: Fingerprint,
    /// What its screen shows.
    pub key_words: String,
    /// What it calls itself; never proven.
    pub claimed_hostname: String,
    /// Copy of which application.
    pub application: ApplicationName,
    /// May it work?
    pub state: InstanceState,
    /// Since when.
    pub since: Timestamp,
    /// When it was seen twice with one key, if an administrator has not decided yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked: Option<Timestamp>,
    /// Where its key lives.
    pub key_store: KeyStore,
    /// When it was enrolled.
    pub enrolled: Timestamp,
    /// When it last checked in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// The key that took its place, after a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<Fingerprint>,
    /// The version of its application that it says it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionName>,
    /// That version was retired.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub version_retired: bool,
}
