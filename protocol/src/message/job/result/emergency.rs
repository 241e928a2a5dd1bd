//! Emergency codes: a new one, and word of one that was used.

use serde::{Deserialize, Serialize};

use super::recovery::RecoveryTold;
use crate::clock::Timestamp;
use crate::emergency::EmergencyCode;
use crate::ids::{AccountName, LoginName};

/// Result of `create` on `emergency-code/NAME`: to be written down. Any earlier code is worth nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmergencyCodeMade {
    /// Whose.
    pub account: AccountName,
    /// The code.
    pub code: EmergencyCode,
}

/// Result of `open-session`, where there is something to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionOpened {
    /// Uses of the account's emergency code that its person was not told of yet, or for less than a week, the oldest
    /// first.
    pub emergency_uses: Vec<EmergencyUsed>,
    /// Its code ended without being used, and there is no other: tried too often, or with a key or by a suspension.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emergency_code_ended: bool,
    /// A recovery of the account is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<RecoveryTold>,
}

/// One use of an account's emergency code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmergencyUsed {
    /// When.
    pub at: Timestamp,
    /// What the host calls itself.
    pub claimed_hostname: String,
    /// Which login name was opened.
    pub login: LoginName,
}
