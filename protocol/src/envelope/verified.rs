//! The proof that a message may be acted upon.

use super::{OpenError, Opened, Sealed, SignedBy};
use crate::ids::{Digest, Fingerprint};
use crate::message::{Body, InReplyTo, Message, MessageError, MessageKind};

/// What the receiver's memory says of a message id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Seen {
    /// Nothing: it is new.
    Never,
    /// It came before, the same bytes: send the stored reply again.
    SameBytes,
    /// It came before with other bytes: somebody plays.
    OtherBytes,
}

/// A message that may be acted upon. Made only by [`Opened::admit`] and [`Opened::answering`].
#[derive(Debug)]
pub struct Verified {
    opened: Opened,
}

impl Opened {
    /// For the receiver of requests: passes only what was never seen.
    ///
    /// The caller looks the id up and stores it in one transaction with whatever the message causes.
    ///
    /// # Errors
    /// [`OpenError::Replay`] or [`OpenError::IdReused`].
    pub fn admit(self, seen: Seen) -> Result<Verified, OpenError> {
        match seen {
            Seen::Never => Ok(Verified { opened: self }),
            Seen::SameBytes => Err(OpenError::Replay),
            Seen::OtherBytes => Err(OpenError::IdReused),
        }
    }

    /// For the receiver of replies: passes only the answer to `request`, signed by exactly one key of the
    /// certificate `by`.
    ///
    /// # Errors
    /// [`OpenError::NotOurAnswer`] or [`OpenError::Signature`].
    pub fn answering(self, request: &Sealed, by: &Fingerprint) -> Result<Verified, OpenError> {
        let [signer] = self.signers.as_slice() else {
            return Err(OpenError::Signature(format!("{} signatures on a reply", self.signers.len())));
        };
        if signer.certificate != *by {
            return Err(OpenError::Signature(format!("{} is not the server", signer.certificate)));
        }
        match self.message.in_reply_to {
            Some(answered) if answered == request.in_reply_to() => Ok(Verified { opened: self }),
            Some(_) => Err(OpenError::NotOurAnswer("it answers another request")),
            None => Err(OpenError::NotOurAnswer("it answers nothing")),
        }
    }
}

impl Verified {
    pub(super) const fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The message.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.opened.message
    }

    /// Which body it has.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        self.opened.message.kind
    }

    /// Its typed body.
    ///
    /// # Errors
    /// [`MessageError`] if it is another message, or malformed.
    pub fn body<B: Body>(&self) -> Result<B, MessageError> {
        self.opened.message.body()
    }

    /// The literal bytes, for the transcript.
    #[must_use]
    pub fn literal(&self) -> &[u8] {
        &self.opened.literal
    }

    /// SHA-256 of the signed message.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.opened.digest
    }

    /// Who signed.
    #[must_use]
    pub fn signers(&self) -> &[SignedBy] {
        &self.opened.signers
    }

    /// What a reply must say it answers.
    #[must_use]
    pub const fn in_reply_to(&self) -> InReplyTo {
        self.opened.in_reply_to()
    }
}
