//! Sign, then encrypt.

mod padding;

use std::io::Write as _;

use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::crypto::Signer as _;
use openpgp::packet::Key;
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::serialize::Serialize as _;
use openpgp::serialize::stream::{Encryptor, LiteralWriter, Message as Stream, Recipient, Signer};
use openpgp::types::{AEADAlgorithm, DataFormat, Features, SignatureType, SymmetricAlgorithm};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::binary::Binary;
use crate::certificate::{self, Cert, CertificateError, Pinned};
use crate::clock::Timestamp;
use crate::curve25519;
use crate::ids::{Digest, MessageId};
use crate::limits;
use crate::message::{InReplyTo, Message, MessageError};

/// Room for what is around the literal inside the encryption, so that no copy of it is left behind by a vector that grows.
const INSIDE: usize = 8 * 1024;

type ReceivingKey = Key<PublicParts, UnspecifiedRole>;

/// A signer of the OpenPGP library: a software key or a card.
pub type BoxedSigner = Box<dyn openpgp::crypto::Signer + Send + Sync>;

/// An envelope ready to be carried, and what its sender must remember of it. Can be stored and sent again:
/// the same bytes get the same reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    bytes: Binary,
    literal: Binary,
    id: MessageId,
}

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The message cannot be written.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The receiver's certificate has no key for it, or the library failed.
    #[error("the envelope cannot be made: {0}")]
    Certificate(#[from] CertificateError),
    /// A signer failed: a card that was pulled, for example.
    #[error("the envelope cannot be signed: {0}")]
    Signing(String),
    /// Over [`limits::ENVELOPE`].
    #[error("the envelope would be {0} bytes; at most {max} are carried", max = limits::ENVELOPE)]
    TooLarge(usize),
    /// Nobody signs.
    #[error("an envelope needs a signature")]
    NoSigner,
}

/// An emergency code may be in it.
impl Drop for Sealed {
    fn drop(&mut self) {
        self.literal.0.zeroize();
    }
}

impl Sealed {
    /// What goes on the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes.0
    }

    /// The message's literal bytes, for the transcript of a handshake.
    #[must_use]
    pub fn literal(&self) -> &[u8] {
        &self.literal.0
    }

    /// SHA-256 of [`Self::bytes`], which is what a refusal names.
    #[must_use]
    pub fn wire_digest(&self) -> Digest {
        Digest::of(&self.bytes.0)
    }

    /// The message's id.
    #[must_use]
    pub const fn id(&self) -> MessageId {
        self.id
    }

    /// What a reply to this must say it answers.
    #[must_use]
    pub fn in_reply_to(&self) -> InReplyTo {
        InReplyTo { id: self.id, digest: Digest::of(&self.literal.0) }
    }
}

/// Signs `message` with every one of `signers`, naming `recipient` as the one intended recipient (W4), pads it to a
/// class of sizes, and encrypts it to the encryption keys of `recipient`, the newest [`limits::SESSION_KEY_PACKETS`] of
/// them, without saying whose they are (W21).
///
/// # Errors
/// [`SealError`].
pub fn seal(
    message: &Message,
    signers: Vec<BoxedSigner>,
    recipient: &Cert,
    now: Timestamp,
) -> Result<Sealed, SealError> {
    seal_pinned(message, signers, &Pinned::of(recipient, now)?, now)
}

/// The same to a certificate that was judged a short time ago.
///
/// # Errors
/// [`SealError`].
pub fn seal_pinned(
    message: &Message,
    signers: Vec<BoxedSigner>,
    recipient: &Pinned,
    now: Timestamp,
) -> Result<Sealed, SealError> {
    let mut literal = Zeroizing::new(message.to_bytes()?);
    let mut keys = recipient.receivers(now);
    keys.truncate(limits::SESSION_KEY_PACKETS);
    if keys.is_empty() {
        return Err(CertificateError::NoKey("encryption").into());
    }

    let failed = |error: openpgp::anyhow::Error| SealError::Signing(certificate::chain(&error));
    let broken = |error: std::io::Error| SealError::Signing(error.to_string());
    // Signed first, and then encrypted: how much padding it takes is known once the signatures are there.
    let mut inside = Zeroizing::new(Vec::with_capacity(literal.len() + INSIDE));
    let stream = sign(Stream::new(&mut *inside), signers, Some(recipient), now)?;
    let mut stream = LiteralWriter::new(stream).format(DataFormat::Binary).build().map_err(failed)?;
    stream.write_all(&literal).map_err(broken)?;
    stream.finalize().map_err(failed)?;

    let mut bytes = Vec::new();
    let mut stream = encrypt(&mut bytes, &keys, recipient.features()).map_err(failed)?;
    stream.write_all(&inside).map_err(broken)?;
    padding::packet(inside.len()).and_then(|packet| packet.serialize(&mut stream)).map_err(failed)?;
    stream.finalize().map_err(failed)?;

    if bytes.len() > limits::ENVELOPE {
        return Err(SealError::TooLarge(bytes.len()));
    }
    Ok(Sealed { bytes: Binary(bytes), literal: Binary(std::mem::take(&mut literal)), id: message.id })
}

/// Adds the encryption layer. By encryption of version 2 where the receiver understands that.
fn encrypt<'a>(
    bytes: &'a mut Vec<u8>,
    keys: &[&'a ReceivingKey],
    features: &Features,
) -> openpgp::Result<Stream<'a>> {
    if !features.supports_seipdv2() {
        let recipients = keys.iter().map(|key| Recipient::new(features.clone(), None, *key));
        return Encryptor::for_recipients(Stream::new(bytes), recipients)
            .symmetric_algo(SymmetricAlgorithm::AES256)
            .build();
    }
    let session_key = curve25519::fresh()?;
    for key in keys {
        Packet::from(curve25519::packet(&session_key, key)?).serialize(bytes)?;
    }
    Encryptor::with_session_key(Stream::new(bytes), SymmetricAlgorithm::AES256, session_key)?
        .aead_algo(AEADAlgorithm::default())
        .build()
}

/// Adds the signing layer.
pub(super) fn sign<'a>(
    stream: Stream<'a>,
    signers: Vec<BoxedSigner>,
    recipient: Option<&Pinned>,
    now: Timestamp,
) -> Result<Stream<'a>, SealError> {
    let failed = |error: openpgp::anyhow::Error| SealError::Signing(certificate::chain(&error));
    let mut signers = signers.into_iter();
    let first = signers.next().ok_or(SealError::NoSigner)?;
    let hash = super::detached::hash_for(first.acceptable_hashes());
    let mut template = SignatureBuilder::new(SignatureType::Binary);
    if let Some(recipient) = recipient {
        let named = certificate::their_fingerprint(recipient.fingerprint())?;
        template = template.set_intended_recipients([named]).map_err(failed)?;
    }
    let mut layer = Signer::with_template(stream, first, template)
        .map_err(failed)?
        .hash_algo(hash)
        .map_err(failed)?
        .creation_time(now.to_system_time());
    for signer in signers {
        layer = layer.add_signer(signer).map_err(failed)?;
    }
    layer.build().map_err(failed)
}
