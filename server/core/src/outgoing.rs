//! A reply on its way out.

use std::sync::Arc;

use countersign_protocol::certificate::Pinned;
use countersign_protocol::message::Message;

use crate::ledger::{CommitProof, Recorded};

/// A reply that may be sent: whatever it says is durable. Made only by [`crate::core::Core`].
#[derive(Debug, Clone)]
#[must_use = "a reply that is not sent leaves its sender waiting"]
pub struct Outgoing {
    message: Message,
    recipient: Arc<Pinned>,
}

impl Outgoing {
    /// The transaction was committed just now, and its entry with it.
    pub(crate) const fn recorded(message: Message, recipient: Arc<Pinned>, _proof: &Recorded) -> Self {
        Self { message, recipient }
    }

    /// The transaction was committed just now; it had no entry.
    pub(crate) const fn committed(message: Message, recipient: Arc<Pinned>, _proof: &CommitProof) -> Self {
        Self { message, recipient }
    }

    /// It was read back from the store, where only committed transactions put replies.
    pub(crate) const fn read_back(message: Message, recipient: Arc<Pinned>) -> Self {
        Self { message, recipient }
    }

    /// It says nothing that would have to be durable.
    pub(crate) const fn of_nothing(message: Message, recipient: Arc<Pinned>) -> Self {
        Self { message, recipient }
    }

    /// What to seal.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// To whom.
    #[must_use]
    pub fn recipient(&self) -> &Pinned {
        &self.recipient
    }
}
