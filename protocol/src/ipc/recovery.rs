//! Another card for an account whose cards are lost, and keys that end by their own word.

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::clock::Timestamp;
use crate::emergency::EmergencyCode;
use crate::ids::{AccountName, CardIdent, CorrelationId, Fingerprint};
use crate::recovery::RecoveryCode;

/// The next step of a recovery that was begun before: completes it, if it is time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recover {
    /// Its name, as it was told when it began.
    pub id: CorrelationId,
    /// The new card, where more than one is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovered {
    /// Whose account.
    pub account: AccountName,
    /// What it waits for; none if it is completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<RecoveryWaits>,
    /// Where its completion lies in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_index: Option<u64>,
    /// For the person, to be written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency_code: Option<EmergencyCode>,
    /// The same, for the next time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_code: Option<RecoveryCode>,
}

/// What a recovery waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryWaits {
    /// Not before this time.
    pub not_before: Timestamp,
    /// Nor after this one.
    pub expires: Timestamp,
    /// So many administrators have signed.
    pub approvals: u32,
    /// So many must.
    pub needed: u32,
}

/// A revocation certificate for the server. No card is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeKey {
    /// OpenPGP, armoured or binary.
    pub certificate: Binary,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRevoked {
    /// Whose key ended; none if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
    /// Its primary fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Fingerprint>,
    /// In words.
    pub reason: String,
    /// Where it lies in the ledger.
    pub ledger_index: u64,
}
