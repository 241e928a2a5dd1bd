//! Decrypt, and check everything that can be checked without memory of earlier messages.
//!
//! The order is the cheapest first; see `docs/protocol-envelope.md`.

mod helper;

use std::io::Read as _;
use std::sync::Arc;

use sequoia_openpgp as openpgp;

use openpgp::KeyHandle;
use openpgp::packet::Signature;
use openpgp::parse::Parse as _;
use openpgp::parse::stream::DecryptorBuilder;

use self::helper::Helper;
use crate::certificate::{self, Cert, Pinned};
use crate::clock::Timestamp;
use crate::curve25519::SoftwareKey;
use crate::ids::{Digest, Fingerprint};
use crate::limits;
use crate::message::{InReplyTo, InstanceKey, Message, MessageKind, RotationKey};

/// The enrolled certificates that may have signed.
pub trait Keyring {
    /// Certificates that hold the key `handle`, as the policy sees them at `now`, or saw them minutes ago at most. Empty for a
    /// stranger.
    fn pinned(&self, handle: &KeyHandle, now: Timestamp) -> Vec<Arc<Pinned>>;
}

impl Keyring for Cert {
    fn pinned(&self, handle: &KeyHandle, now: Timestamp) -> Vec<Arc<Pinned>> {
        let pinned = Pinned::of(self, now).ok().filter(|pinned| pinned.holds(handle));
        pinned.into_iter().map(Arc::new).collect()
    }
}

/// Who opens, with what, and when.
pub struct Opening<'a> {
    /// Our own certificate: the one intended recipient.
    pub me: &'a Pinned,
    /// Our decryption keys.
    pub decryptors: &'a [SoftwareKey],
    /// Whose signatures count.
    pub keyring: &'a dyn Keyring,
    /// The time now.
    pub now: Timestamp,
}

/// One valid signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The primary fingerprint of the certificate.
    pub certificate: Fingerprint,
    /// The component key that signed.
    pub key: Fingerprint,
}

/// Why an envelope was not opened. For our own ledger; the other side hears a [`crate::message::Refusal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Over [`limits::ENVELOPE`].
    #[error("oversize: {0} bytes")]
    Oversize(usize),
    /// Packets that no envelope has: compression, too many of a kind, something nested.
    #[error("unexpected packets: {0}")]
    Structure(String),
    /// Not for any of our keys, damaged, or not encrypted.
    #[error("not decrypted: {0}")]
    NotDecrypted(String),
    /// A cipher outside the pinned suite.
    #[error("outside the pinned suite: {0}")]
    Suite(String),
    /// A missing, bad or surplus signature, or one by a stranger.
    #[error("signature: {0}")]
    Signature(String),
    /// The signing key is expired or revoked now, although it was not when the signature claims to be made.
    #[error("signed by {0}, which is not valid now")]
    KeyNotAlive(Fingerprint),
    /// None, several, or not us.
    #[error("intended recipient: {0}")]
    IntendedRecipient(String),
    /// The message inside names another receiver.
    #[error("audience {0} is not us")]
    Audience(Fingerprint),
    /// Not a message.
    #[error("not a message: {0}")]
    Malformed(String),
    /// Made too long ago, or in our future.
    #[error("made {0} s from now; at most {max} s are accepted", max = limits::CLOCK_SKEW)]
    Skew(i64),
    /// Seen before with the same bytes.
    #[error("a replay of the same bytes")]
    Replay,
    /// Seen before with other bytes.
    #[error("the id of an earlier message with other bytes")]
    IdReused,
    /// Not the answer to our request.
    #[error("not the answer to our request: {0}")]
    NotOurAnswer(&'static str),
}

/// An envelope whose cryptography, addressing and time are good. Whether it is new is not known yet.
#[must_use]
#[derive(Debug, Clone)]
pub struct Opened {
    pub(super) message: Message,
    pub(super) literal: Vec<u8>,
    pub(super) digest: Digest,
    wire: Digest,
    pub(super) signers: Vec<SignedBy>,
    /// Of each of them.
    pub(super) signatures: Vec<Signature>,
}

impl Opened {
    /// The message. Not to be acted upon: look up what is needed to call [`Self::admit`].
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// SHA-256 of the signed message. Not of the envelope: packets around the encryption could be added or
    /// framed anew by anyone on the way, and the message would seem to be another.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// SHA-256 of the envelope as it came.
    #[must_use]
    pub const fn wire_digest(&self) -> Digest {
        self.wire
    }

    /// Who signed: one or two, all good.
    #[must_use]
    pub fn signers(&self) -> &[SignedBy] {
        &self.signers
    }

    /// What a reply must say it answers.
    #[must_use]
    pub const fn in_reply_to(&self) -> InReplyTo {
        InReplyTo { id: self.message.id, digest: self.digest }
    }
}

/// Opens an envelope.
///
/// # Errors
/// [`OpenError`], the first check that failed.
pub fn open(bytes: &[u8], opening: Opening<'_>) -> Result<Opened, OpenError> {
    if bytes.len() > limits::ENVELOPE {
        return Err(OpenError::Oversize(bytes.len()));
    }
    // The library would take off an armour by itself.
    if bytes.first().is_none_or(|first| first & 0x80 == 0) {
        return Err(OpenError::Structure("no packet".into()));
    }
    let Opening { me, decryptors, keyring, now } = opening;
    let (mut literal, mut helper) = run(bytes, Helper::new(me, decryptors, keyring, None, now), now)?;
    // The first words of a new key are signed by a key that only the message itself can name. It is read
    // before it is trusted, to try that one key; what it says counts only if that signature is good too.
    if helper.has_strangers() {
        // Reading a certificate costs more than all before: not for whoever is introduced by nobody.
        let brought = helper.introduces_a_stranger().then(|| newcomer(&literal, now)).flatten();
        let newcomer = brought.ok_or_else(|| helper.stranger())?;
        (literal, helper) = run(bytes, Helper::new(me, decryptors, keyring, Some(newcomer), now), now)?;
        if helper.has_strangers() {
            return Err(helper.stranger());
        }
    }
    let (signers, signatures) = helper.into_signers()?;

    let message = Message::from_bytes(&literal).map_err(|error| OpenError::Malformed(error.to_string()))?;
    if message.audience != *me.fingerprint() {
        return Err(OpenError::Audience(message.audience));
    }
    let distance = message.time.seconds_since(now);
    if distance.abs() > limits::CLOCK_SKEW {
        return Err(OpenError::Skew(distance));
    }
    let (digest, wire) = (Digest::of(&literal), Digest::of(bytes));
    Ok(Opened { message, digest, literal, wire, signers, signatures })
}

/// The library would call a signature from a clock ahead of ours bad. A day later none is, in seconds, and how far it may be off
/// is ours to judge, with its own reason.
const AHEAD: i64 = 24 * 3600;

/// One pass over the packets.
fn run<'a>(bytes: &[u8], helper: Helper<'a>, now: Timestamp) -> Result<(Vec<u8>, Helper<'a>), OpenError> {
    let time = now.plus(AHEAD).to_system_time();
    let build = || -> openpgp::Result<_> {
        DecryptorBuilder::from_bytes(bytes)?
            // Everything is verified before a byte comes out.
            .buffer_size(bytes.len())
            .with_policy(certificate::policy(), time, helper)
    };
    let mut decryptor = build().map_err(|error| helper::cause(&error))?;
    let mut literal = Vec::new();
    decryptor.read_to_end(&mut literal).map_err(|error| OpenError::NotDecrypted(error.to_string()))?;
    Ok((literal, decryptor.into_helper()))
}

/// The certificate that an instance-key or a rotation-key message brings.
fn newcomer(unverified: &[u8], now: Timestamp) -> Option<Arc<Pinned>> {
    let message = Message::from_bytes(unverified).ok()?;
    let certificate = match message.kind {
        MessageKind::InstanceKey => message.body::<InstanceKey>().ok()?.certificate,
        MessageKind::RotationKey => message.body::<RotationKey>().ok()?.certificate,
        _ => return None,
    };
    let cert = certificate::parse(&certificate.0).ok()?;
    Pinned::of(&cert, now).ok().map(Arc::new)
}
