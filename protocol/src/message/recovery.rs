//! Another card for an account whose cards are lost. It begins with a registration by the method `recovery`.

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::clock::Timestamp;
use crate::emergency::EmergencyCode;
use crate::ids::{AccountName, CorrelationId, Fingerprint};
use crate::message::job::Receipt;
use crate::recovery::RecoveryCode;
use crate::statement::SignedStatement;

/// In a registration record: nothing is the account's yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryBegun {
    /// Names the recovery, for administrators and for the next step.
    pub id: CorrelationId,
    /// Not completed before this time.
    pub not_before: Timestamp,
    /// Nor after this one.
    pub expires: Timestamp,
    /// How many administrators must sign for it.
    pub approvals: u32,
}

/// "How does this recovery stand?" And, with the new card's signature: "complete it."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryStep {
    /// From [`RecoveryBegun`].
    pub id: CorrelationId,
    /// A statement `complete` on `recovery/ID`, by the new key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<SignedStatement>,
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryStepReply {
    /// Whose account.
    pub account: AccountName,
    /// The new key's certificate.
    pub certificate: Binary,
    /// How it stands.
    pub standing: RecoveryStanding,
}

/// How a recovery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RecoveryStanding {
    /// It is too early, or administrators have not signed yet.
    Waiting {
        /// Not before this time.
        not_before: Timestamp,
        /// Nor after this one.
        expires: Timestamp,
        /// So many administrators have signed.
        approvals: u32,
        /// So many must.
        needed: u32,
    },
    /// The new card's signature completes it now.
    Ready,
    /// The new key is the account's, and no other is any more.
    Completed {
        /// Primary fingerprint.
        key: Fingerprint,
        /// The proof that it is in the ledger.
        receipt: Receipt,
        /// For the person, to be written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emergency_code: Option<EmergencyCode>,
        /// The same, for the next time.
        recovery_code: RecoveryCode,
    },
    /// It was withdrawn, or took too long, or is done.
    Over,
}
