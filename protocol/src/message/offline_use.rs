//! A login that a host decided by its roster, told once the server can be reached again.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{AccountName, CardIdent, CorrelationId, LoginName, ServiceName};
use crate::message::job::Receipt;
use crate::roster::SignedRoster;
use crate::statement::SignedStatement;

/// One login that a host let in offline, with everything that it decided from.
///
/// The names stand beside the statement so that a use whose statement cannot be read is still somebody's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfflineUse {
    /// What the person's card signed.
    pub statement: SignedStatement,
    /// The roster that permitted it, as the server signed it.
    pub roster: SignedRoster,
    /// Which of the account's uses of this roster it was, counted from 1.
    pub use_number: u32,
    /// When it was decided, in the server's time as far as the host knew it.
    pub at: Timestamp,
    /// What the person was told to quote.
    pub correlation: CorrelationId,
    /// Whose card it was.
    pub account: AccountName,
    /// Which login name was opened.
    pub login: LoginName,
    /// By which PAM service.
    pub service: ServiceName,
    /// With which card.
    pub card: CardIdent,
}

/// "It is in the ledger." A disputed use is an alarm there; it was let in all the same, and is never dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfflineUseReply {
    /// The proof.
    pub receipt: Receipt,
    /// Whether the server would have let it in.
    pub verdict: OfflineVerdict,
    /// Why, in words for the host's journal.
    pub reason: String,
}

/// What the server holds of an offline use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[must_use]
pub enum OfflineVerdict {
    /// The roster permitted it, and nothing is wrong with it.
    Accepted,
    /// An administrator must look at it.
    Disputed,
}
