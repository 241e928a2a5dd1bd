//! Recoveries, as administrators see them.

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::clock::Timestamp;
use crate::ids::{AccountName, CorrelationId, Fingerprint};
use crate::recovery::RecoveryCode;

/// Body of `approve` on `recovery/ID`: what the administrator signs for, in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryApproval {
    /// Whose account.
    pub account: AccountName,
    /// Primary fingerprint of the key that becomes its only one.
    pub key: Fingerprint,
}

/// Result of `read` on `recoveries/all`, and of `approve` and `withdraw` on `recovery/ID` with just that one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryList {
    /// Those that are under way, the oldest first.
    pub recoveries: Vec<RecoveryShown>,
}

/// One recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryShown {
    /// Its name.
    pub id: CorrelationId,
    /// Whose account.
    pub account: AccountName,
    /// Primary fingerprint of the key that wants to become its only one.
    pub key: Fingerprint,
    /// The words that the person's screen shows of it.
    pub key_words: String,
    /// What the host calls itself at which it was begun.
    pub claimed_hostname: String,
    /// When it was begun.
    pub begun: Timestamp,
    /// Not completed before this time.
    pub not_before: Timestamp,
    /// Nor after this one.
    pub expires: Timestamp,
    /// Administrators who signed for it.
    pub approvals: Vec<AccountName>,
}

/// Result of `renew-recovery-code` on `account/NAME`: to be written down. Any earlier code is worth nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryCodeMade {
    /// Whose.
    pub account: AccountName,
    /// The code.
    pub code: RecoveryCode,
}

/// Body of `revoke` on `key/FINGERPRINT`, if there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedBy {
    /// A revocation signature (OpenPGP, binary) by the key itself. It is kept, and what it says is in the ledger.
    pub certificate: Binary,
}

/// In the result of `open-session`: somebody asked that another card become this account's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryTold {
    /// Its name.
    pub id: CorrelationId,
    /// When.
    pub begun: Timestamp,
    /// At which host, as that calls itself.
    pub claimed_hostname: String,
}
