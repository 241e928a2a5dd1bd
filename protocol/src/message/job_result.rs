//! What came of a job that was accepted: fetched once.

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::clock::Timestamp;
use crate::ids::MessageId;
use crate::message::job::Receipt;

/// "What came of this job?" Only the instance that carried the request is told.
///
/// The first fetch that finds a result has it for itself: the same bytes are answered again until [`ResultAck`] or
/// [`crate::limits::RESULT_LEASE`], any other fetch is told that it was served, and alarms the user (W17).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobResultRequest {
    /// The job, by the id of its request.
    pub job: MessageId,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobStanding {
    /// Nobody took it so far.
    Queued,
    /// It was done; here is what it yields.
    Done,
    /// It could not be done, and nothing was changed; the reason says why.
    Failed,
    /// Its result was served before, or is just being served.
    Served,
    /// Nobody fetched its result in time.
    Expired,
    /// It was called off before it was done.
    Cancelled,
    /// It was done, and whose result it is may not have it any more.
    Withheld,
    /// There is no such job of this instance's.
    Unknown,
}

impl JobStanding {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Done,
        Self::Failed,
        Self::Served,
        Self::Expired,
        Self::Cancelled,
        Self::Withheld,
        Self::Unknown,
    ];

    /// The word in messages and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Served => "served",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Withheld => "withheld",
            Self::Unknown => "unknown",
        }
    }
}

impl std::str::FromStr for JobStanding {
    type Err = crate::ids::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|standing| standing.as_str() == text);
        found.ok_or(crate::ids::InvalidId { expected: "how a job stands" })
    }
}

/// How it stands, and its result if this is the fetch that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobResultReply {
    /// Of which job.
    pub job: MessageId,
    /// How it stands.
    pub standing: JobStanding,
    /// In words for the person who asked for it.
    pub reason: String,
    /// What it yields that is no secret of the person's: one of the types in [`super::result`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
    /// What it yields that is: the JSON of such a type in an OpenPGP message to the person's card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Binary>,
    /// Where it is recorded that it was served. Only with [`JobStanding::Done`] and [`JobStanding::Failed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// "I have it." From then on nobody gets it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultAck {
    /// Of which job.
    pub job: MessageId,
    /// The fetch that got it, by the id of its message.
    pub fetch: MessageId,
}

/// It is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultAckReply {}

/// In the answer to a request whose work is another process's: it was accepted, and this becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobAccepted {
    /// The job, by the id of its request.
    pub job: MessageId,
    /// Its result is kept until then.
    pub expires: Timestamp,
}
