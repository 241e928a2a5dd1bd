//! A reply on its way out.

use countersign_protocol::certificate::Cert;
use countersign_protocol::message::Message;

use crate::ledger::{CommitProof, Recorded};

/// A reply that may be sent: whatever it says is durable. Made only by [`crate::core::Core`].
#[derive(Debug, Clone)]
#[must_use = "a reply that is not sent leaves its sender waiting"]
pub struct Outgoing {
    message: Message,
    recipient: Cert,
}

impl Outgoing {
    /// The transaction was committed just now, and its entry with it.
    pub(crate) const fn recorded(message: Message, recipient: Cert, _proof: &Recorded) -> Self {
        Self { message, recipient }
    }

    /// The transaction was committed just now; it had no entry.
    pub(crate) const fn committed(message: Message, recipient: Cert, _proof: &CommitProof) -> Self {
        Self { message, recipient }
    }

    /// It was read back from the store, where only committed transactions put replies.
    pub(crate) const fn read_back(message: Message, recipient: Cert) -> Self {
        Self { message, recipient }
    }

    /// It says nothing that would have to be durable.
    pub(crate) const fn of_nothing(message: Message, recipient: Cert) -> Self {
        Self { message, recipient }
    }

    /// What to seal.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// To whom.
    #[must_use]
    pub const fn recipient(&self) -> &Cert {
        &self.recipient
    }
}
