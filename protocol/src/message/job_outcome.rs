//! What became of a request whose answer never came.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{Digest, MessageId};
use crate::message::job::{JobReply, Receipt};

/// "I sent you this and heard nothing. What became of it?"
///
/// Whatever the answer, nothing becomes of it afterwards: the server takes no message with that id any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobOutcome {
    /// The request's id.
    pub id: MessageId,
    /// SHA-256 of the request's literal data.
    pub digest: Digest,
    /// The request's own time: until then, and a little longer, it could still be taken.
    pub time: Timestamp,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", deny_unknown_fields)]
pub enum JobOutcomeReply {
    /// It was decided, and this is what was answered, without the result: whoever waited for that is gone.
    Answered {
        /// As it was sent then, its receipt included.
        reply: Box<JobReply>,
    },
    /// It was never seen, and is refused from now on.
    NeverHappened {
        /// The proof that the ledger says so.
        receipt: Receipt,
    },
    /// It is too long ago to tell, and too long ago to happen now. If it was decided, the ledger has an entry with
    /// the digest of its statement.
    Forgotten {},
}
