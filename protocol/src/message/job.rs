//! A person's request, and the one answer to it.

pub mod result;
mod waiting;

pub use waiting::Waiting;

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::ids::{CorrelationId, Digest};
use crate::message::job_result::JobAccepted;
use crate::statement::SignedStatement;

/// A statement signed by a person's card, carried and countersigned by an instance (W16).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    /// What the person signed.
    pub signed: SignedStatement,
    /// The body whose digest the statement names, if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Binary>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[must_use]
pub enum Decision {
    /// Policy permits it, and it was done.
    Allowed,
    /// Policy does not permit it, or it could not be done; nothing happened.
    Denied,
}

impl Decision {
    /// The word in messages and in the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}

/// The answer to a job request: bound to it by the envelope, provably in the ledger, and the same however
/// often it is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobReply {
    /// What was decided.
    pub decision: Decision,
    /// Why, in words for the person who asked: a policy's `@reason`, or what to do next.
    pub reason: String,
    /// To be quoted to an administrator.
    pub correlation: CorrelationId,
    /// The proof that this decision is in the ledger.
    pub receipt: Receipt,
    /// Of a request that was only tried: what would come of it, while `decision` is `denied` and the entry's is `noted`,
    /// because nothing happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<Decision>,
    /// The request waits for other people's approvals, while `decision` is `denied` and the entry's is `noted`, because
    /// nothing happened so far. It runs by itself when it has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Of a request that was accepted, and is done by whoever has the documents: the job that it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobAccepted>,
    /// What the job yields, one of the types in [`result`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
}

/// The proof that one entry is in the ledger. `countersign_protocol::ledger` checks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The entry's place, counted from 0.
    pub index: u64,
    /// The entry's exact bytes: the JSON of a `ledger::Entry`.
    pub entry: Binary,
    /// The checkpoint, a C2SP signed note, of a tree that holds it.
    pub checkpoint: String,
    /// RFC 6962 audit path from the entry to the checkpoint's root.
    pub proof: Vec<Digest>,
}

impl JobRequest {
    /// SHA-256 of the body, if there is one.
    #[must_use]
    pub fn body_digest(&self) -> Option<Digest> {
        self.body.as_ref().map(|body| Digest::of(&body.0))
    }
}
