//! A request as its instance signed it, to be checked once more by whoever did not open the envelope: the same signature, over
//! the same bytes, without the encryption around them (W18).

use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::serialize::SerializeInto as _;

use super::detached::{self, DetachedError, Signed};
use super::open::Opened;
use super::verified::Verified;
use crate::certificate::{self, Pinned};
use crate::clock::Timestamp;
use crate::ids::Fingerprint;
use crate::message::Message;

/// What one instance signed, and its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Countersigned {
    /// The literal bytes: the JSON of a [`Message`].
    pub message: Vec<u8>,
    /// The signature packet over them.
    pub signature: Vec<u8>,
}

/// Why a message that was countersigned before does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CountersignedError {
    /// Not one signature, or one that cannot be written.
    #[error("it has not one signature that could be kept: {0}")]
    Signatures(String),
    /// Not the JSON of a message.
    #[error("not a message: {0}")]
    Malformed(String),
    /// For somebody else.
    #[error("it was meant for {0}")]
    Audience(Fingerprint),
    /// Not exactly one good signature by a key of the certificate.
    #[error("the instance's signature is not good: {0}")]
    Signature(String),
}

impl Verified {
    /// It with its signature, if one instance alone signed it.
    ///
    /// # Errors
    /// [`CountersignedError::Signatures`].
    pub fn countersigned(&self) -> Result<Countersigned, CountersignedError> {
        let Opened { literal, signatures, .. } = self.opened();
        let [signature] = signatures.as_slice() else {
            return Err(CountersignedError::Signatures(format!("{} of them", signatures.len())));
        };
        let signature = Packet::from(signature.clone())
            .to_vec()
            .map_err(|error| CountersignedError::Signatures(certificate::chain(&error)))?;
        Ok(Countersigned { message: literal.clone(), signature })
    }
}

impl Countersigned {
    /// The message, if `instance` signed it for `server` with a key that was good at `when`.
    ///
    /// # Errors
    /// [`CountersignedError`].
    pub fn verify(
        &self,
        instance: &Pinned,
        server: &Fingerprint,
        when: Timestamp,
    ) -> Result<Message, CountersignedError> {
        let message = Message::from_bytes(&self.message)
            .map_err(|error| CountersignedError::Malformed(error.to_string()))?;
        if message.audience != *server {
            return Err(CountersignedError::Audience(message.audience));
        }
        let signed = Signed {
            bytes: &self.message,
            signature: &self.signature,
            recipient: server,
            made: message.time,
        };
        detached::verify_pinned(&signed, instance, when)
            .map_err(|error: DetachedError| CountersignedError::Signature(error.to_string()))?;
        Ok(message)
    }
}
