//! A request that waits for other people's approvals.

use serde::{Deserialize, Serialize};

#[cfg(feature = "envelope")]
use crate::approval;
use crate::approval::Needs;
use crate::clock::Timestamp;
use crate::ids::{CorrelationId, MessageId};
#[cfg(feature = "envelope")]
use crate::ledger::{Entry, detail};

/// What a request waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// Its name: the id of the message that it came by. In a resource, `request/ID`.
    pub id: MessageId,
    /// What people quote, and as good in its place: the correlation id of the answer.
    pub request: CorrelationId,
    /// After that it is over.
    pub deadline: Timestamp,
    /// How many of whom must approve it: any of these.
    pub needs: Vec<Needs>,
}

#[cfg(feature = "envelope")]
impl Waiting {
    /// What the entry says of it.
    #[must_use]
    pub fn recorded(&self) -> [(&'static str, String); 2] {
        [
            (detail::WAITING, self.deadline.to_string()),
            (detail::APPROVALS_NEEDED, approval::spelled(&self.needs)),
        ]
    }

    /// The same back; none of an entry about anything else.
    #[must_use]
    pub fn of_entry(entry: &Entry) -> Option<Self> {
        let deadline = entry.detail.get(detail::WAITING)?.clone();
        let needs = entry.detail.get(detail::APPROVALS_NEEDED)?;
        Some(Self {
            id: entry.message?,
            request: entry.correlation.clone(),
            deadline: deadline.try_into().ok()?,
            needs: approval::read(needs).ok()?,
        })
    }
}
