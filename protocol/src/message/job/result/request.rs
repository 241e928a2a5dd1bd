//! Requests that wait for other people's approvals.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::approval::Needs;
use crate::binary::Binary;
use crate::clock::Timestamp;
use crate::ids::{AccountName, CorrelationId, MessageId, Operation, ResourceName};

/// Body of `approve` on `request/ID`, if there is one. What is approved is in the statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalComment {
    /// For the others who are asked.
    pub comment: String,
}

/// Result of `approve` and `withdraw` on `request/ID`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestChanged {
    /// Which.
    pub id: MessageId,
    /// What people quote.
    pub request: CorrelationId,
    /// Where it stands now. What it yielded is told to whoever asked for it.
    pub state: RequestState,
    /// Of one that was decided: why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of one that waits: so many more people must approve it, at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<u32>,
    /// `false` if it stood like this before.
    pub changed: bool,
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestState {
    /// For approvals.
    Waiting,
    /// It was approved and done.
    Done,
    /// It was approved, and then denied all the same, or could not be done.
    Denied,
    /// Whoever asked for it does not want it any more.
    Withdrawn,
    /// Its time is over.
    Expired,
}

/// Result of `list` on `request/all`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestList {
    /// Those that whoever asks made, and those that wait for their approval; the newest first, without what was signed.
    pub requests: Vec<RequestShown>,
}

/// One request. Result of `read` on `request/ID`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestShown {
    /// Its name.
    pub id: MessageId,
    /// What people quote.
    pub request: CorrelationId,
    /// Who asks.
    pub account: AccountName,
    /// What.
    pub operation: Operation,
    /// On what.
    pub resource: ResourceName,
    /// Since when.
    pub made: Timestamp,
    /// Until when.
    pub deadline: Timestamp,
    /// Where it stands.
    pub state: RequestState,
    /// Of one that was decided: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who is asked: any of these.
    pub needs: Vec<Needs>,
    /// Of one that waits: so many more people must approve it, at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<u32>,
    /// Who approved it so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalShown>,
    /// Of one that waits: what was signed, and what an approval is for. Not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<RequestAsked>,
    /// What it yielded: told once, to whoever asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
}

/// The exact bytes of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestAsked {
    /// The statement: what an approval names by its digest.
    pub statement: Binary,
    /// The body whose digest it names, if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Binary>,
}

/// Somebody's approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalShown {
    /// Whose.
    pub account: AccountName,
    /// When.
    pub at: Timestamp,
    /// Whether it counts as things are now: its person and card are active, and in a group that is asked.
    pub counts: bool,
    /// What they said to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The text is no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the state of a request")]
pub struct NoState;

impl RequestState {
    /// The word in messages and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

impl FromStr for RequestState {
    type Err = NoState;

    fn from_str(text: &str) -> Result<Self, NoState> {
        let all = [Self::Waiting, Self::Done, Self::Denied, Self::Withdrawn, Self::Expired];
        all.into_iter().find(|state| state.as_str() == text).ok_or(NoState)
    }
}
