//! What one person alone is to read: an OpenPGP message to the encryption key of their certificate, which their card opens,
//! or gpg with that card.
//!
//! Nobody signs it. Whoever takes it out of an envelope, or out of what a receipt proves, knows whose it is; whoever finds it
//! lying about knows nothing.

mod open;

use std::io::Write as _;

use sequoia_openpgp as openpgp;

use openpgp::cert::Preferences as _;
use openpgp::crypto::mpi;
use openpgp::packet::Key;
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::serialize::stream::{Encryptor, LiteralWriter, Message as Stream, Recipient};
use openpgp::types::{Curve, DataFormat, Features, SymmetricAlgorithm};

use crate::certificate::{self, Cert};
use crate::clock::Timestamp;
use crate::limits;

pub use open::{OpenFromCardError, SealedTo, open_from_card, sealed_to};

type ReceivingKey = Key<PublicParts, UnspecifiedRole>;

/// Why nothing was sealed to somebody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealToCardError {
    /// Nobody could open it.
    #[error(
        "the certificate {0} has no encryption key that is valid now and that a card can hold (Curve25519, NIST P-256, NIST P-384 or RSA), so that nothing can be sealed to its owner. Whoever it is makes new keys on the card (countersign key rotate) and asks again"
    )]
    NoKey(String),
    /// Over [`limits::RESULT_FOR_CARD`].
    #[error("{0} bytes are to be sealed; at most {max} can be. Ask for less at a time", max = limits::RESULT_FOR_CARD)]
    TooLarge(usize),
    /// The library failed.
    #[error("nothing could be sealed: {0}")]
    Library(String),
}

/// Whether [`seal_to_card`] finds a key at `now`.
#[must_use]
pub fn can_seal_to(cert: &Cert, now: Timestamp) -> bool {
    receiver(cert, now).is_some()
}

/// Encrypts `bytes` to one encryption key of `cert` that is valid at `now` and that a card can hold, which the packet names: a
/// card is asked to open only what is sealed to it. Of several it is the one made last, as gpg chooses: the others are kept
/// for what was sealed before. AES-256, by encryption of version 2 only where the certificate asks for it, which no gpg 2
/// reads.
///
/// # Errors
/// [`SealToCardError`].
pub fn seal_to_card(cert: &Cert, bytes: &[u8], now: Timestamp) -> Result<Vec<u8>, SealToCardError> {
    if bytes.len() > limits::RESULT_FOR_CARD {
        return Err(SealToCardError::TooLarge(bytes.len()));
    }
    let key = receiver(cert, now).ok_or_else(|| SealToCardError::NoKey(cert.fingerprint().to_string()))?;
    encrypt(&key, features(cert, now), bytes)
        .map_err(|error| SealToCardError::Library(certificate::chain(&error)))
}

fn encrypt(key: &ReceivingKey, features: Features, bytes: &[u8]) -> openpgp::Result<Vec<u8>> {
    let mut sealed = Vec::new();
    let recipient = Recipient::new(features, key.key_handle(), key);
    let stream = Encryptor::for_recipients(Stream::new(&mut sealed), [recipient])
        .symmetric_algo(SymmetricAlgorithm::AES256)
        .build()?;
    let mut stream = LiteralWriter::new(stream).format(DataFormat::Binary).build()?;
    stream.write_all(bytes)?;
    stream.finalize()?;
    Ok(sealed)
}

fn features(cert: &Cert, now: Timestamp) -> Features {
    let valid = cert.with_policy(certificate::policy(), now.to_system_time()).ok();
    valid.and_then(|valid| valid.features()).unwrap_or_else(Features::empty)
}

fn receiver(cert: &Cert, now: Timestamp) -> Option<ReceivingKey> {
    let usable = certificate::encryption_keys(cert, now);
    let is_usable = |key: &ReceivingKey| {
        certificate::our_fingerprint(&key.fingerprint()).is_ok_and(|name| usable.contains(&name))
    };
    let keys = cert.keys().map(|found| found.key().clone());
    // The name decides between two of one second: whoever asks twice is to need one card.
    keys.filter(|key| is_usable(key) && fits_a_card(key))
        .max_by_key(|key| (key.creation_time(), key.fingerprint()))
}

/// The kinds of keys that the agent has a card open something with.
fn fits_a_card(key: &ReceivingKey) -> bool {
    use mpi::PublicKey::{ECDH, RSA};
    matches!(key.mpis(), RSA { .. } | ECDH { curve: Curve::Cv25519 | Curve::NistP256 | Curve::NistP384, .. })
}
