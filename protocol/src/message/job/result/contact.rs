//! Where an account's person can be reached.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::contact::Address;

/// Body of `add-contact` on `account/NAME`: a code is sent there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewContact {
    /// Where.
    pub address: Address,
}

/// Body of `confirm-contact` on `account/NAME`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactCode {
    /// The code that came there, as typed.
    pub code: String,
}

/// Body of `remove-contact` on `account/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedContact {
    /// Which.
    pub address: Address,
}

/// Result of every job about contacts: those that the account has afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactList {
    /// The oldest first.
    pub contacts: Vec<ContactShown>,
    /// Until when the code for one that is not confirmed yet is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_until: Option<Timestamp>,
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactShown {
    /// Where.
    pub address: Address,
    /// When it was confirmed.
    pub since: Timestamp,
}
