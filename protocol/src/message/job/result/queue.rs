//! Jobs as those see them who asked for them.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{CorrelationId, Fingerprint, MessageId, Operation, ResourceName};
use crate::message::JobStanding;
use crate::message::job::result::RequestShown;

/// Result of `read` on `jobs/own`, and of `cancel` on `job/ID` with just that one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobList {
    /// Those that are not forgotten, the newest first.
    pub jobs: Vec<JobShown>,
    /// Those that take approvals, and those of others that wait for one's own: as `list` on `request/all` has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RequestShown>,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobShown {
    /// Its name: the id of its request.
    pub job: MessageId,
    /// What people quote.
    pub correlation: CorrelationId,
    /// At which host it was asked for, which alone is served its result.
    pub instance: Fingerprint,
    /// What is to be done.
    pub operation: Operation,
    /// To what.
    pub resource: ResourceName,
    /// How it stands.
    pub standing: JobStanding,
    /// In words; empty while it waits.
    pub reason: String,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// Until when its result is kept.
    pub expires: Timestamp,
}
