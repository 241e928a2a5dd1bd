//! A request as its instance signed it, to be checked once more by whoever did not open the envelope: the same signature, over
//! the same bytes, without the encryption around them (W18).

use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::parse::Parse as _;
use openpgp::serialize::SerializeInto as _;

use super::detached::{self, DetachedError, Signed};
use super::open::Opened;
use super::verified::Verified;
use crate::certificate::{self, Pinned};
use crate::clock::Timestamp;
use crate::ids::Fingerprint;
use crate::message::Message;

/// What one instance signed, its signature, and the certificate that makes it one: who checks it later may know another one by
/// then, without the session key that signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Countersigned {
    /// The literal bytes: the JSON of a [`Message`].
    pub message: Vec<u8>,
    /// The signature packet over them.
    pub signature: Vec<u8>,
    /// The instance's certificate as it was then, binary. Its primary key vouches for the others.
    pub certificate: Vec<u8>,
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
    /// Not the certificate of the instance that is to have signed.
    #[error("the certificate beside it is not the instance's: {0}")]
    Certificate(String),
    /// For somebody else.
    #[error("it was meant for {0}")]
    Audience(Fingerprint),
    /// Not exactly one good signature by a key of the certificate.
    #[error("the instance's signature is not good: {0}")]
    Signature(String),
}

impl Verified {
    /// It with its signature, if one instance alone signed it, which has this certificate.
    ///
    /// # Errors
    /// [`CountersignedError::Signatures`].
    pub fn countersigned(&self, certificate: &[u8]) -> Result<Countersigned, CountersignedError> {
        let Opened { literal, signatures, .. } = self.opened();
        let [signature] = signatures.as_slice() else {
            return Err(CountersignedError::Signatures(format!("{} of them", signatures.len())));
        };
        let signature = Packet::from(signature.clone())
            .to_vec()
            .map_err(|error| CountersignedError::Signatures(certificate::chain(&error)))?;
        Ok(Countersigned { message: literal.clone(), signature, certificate: certificate.to_vec() })
    }
}

impl Countersigned {
    /// The message, if `instance` signed it for `server`, with a key that was good at the time that it names.
    ///
    /// # Errors
    /// [`CountersignedError`].
    pub fn verify(
        &self,
        instance: &Fingerprint,
        server: &Fingerprint,
    ) -> Result<Message, CountersignedError> {
        let message = Message::from_bytes(&self.message)
            .map_err(|error| CountersignedError::Malformed(error.to_string()))?;
        if message.audience != *server {
            return Err(CountersignedError::Audience(message.audience));
        }
        // The signature may be a little younger than what it is over; how much, is judged with it.
        let when = self.signed_at().map_or(message.time, |signed| signed.max(message.time));
        let pinned = certificate::parse(&self.certificate).and_then(|cert| Pinned::of(&cert, when));
        let pinned = pinned.map_err(|error| CountersignedError::Certificate(error.to_string()))?;
        if pinned.fingerprint() != instance {
            return Err(CountersignedError::Certificate(pinned.fingerprint().to_string()));
        }
        let signed = Signed {
            bytes: &self.message,
            signature: &self.signature,
            recipient: server,
            made: message.time,
        };
        detached::verify_pinned(&signed, &pinned, when)
            .map_err(|error: DetachedError| CountersignedError::Signature(error.to_string()))?;
        Ok(message)
    }

    /// When the signature says that it was made.
    fn signed_at(&self) -> Option<Timestamp> {
        match Packet::from_bytes(&self.signature) {
            Ok(Packet::Signature(signature)) => signature.signature_creation_time().map(Timestamp::from),
            _ => None,
        }
    }
}
