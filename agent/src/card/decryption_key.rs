//! The key in a card's decryption slot, as OpenPGP knows it.
//!
//! It is read from the card: what a host knows of people's certificates is what signs. Nothing is believed by it, for another
//! key than the one that something is sealed to opens nothing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sequoia_openpgp as openpgp;

use countersign_protocol::ids::{CardIdent, Fingerprint};
use openpgp::crypto::mpi::{MPI, PublicKey};
use openpgp::packet::Key;
use openpgp::packet::key::{Key4, PublicParts, UnspecifiedRole};
use openpgp::types::{Curve, HashAlgorithm, PublicKeyAlgorithm, SymmetricAlgorithm};

use super::apdu::Command;
use super::error::CardError;
use super::generate::{bare, curve_of};
use super::link::Exclusive;
use super::public::PublicData;
use super::session_key::DecryptionKey;
use super::unlock::Aftermath;
use super::{Cards, tlv};

/// The control reference of the slot.
const SLOT: u8 = 0xB8;

/// How a shared secret becomes a key is part of an OpenPGP key, and no card knows it: gpg, Sequoia and this agent
/// choose differently. The right choice is the one that gives the fingerprint.
const HASHES: [HashAlgorithm; 3] = [HashAlgorithm::SHA256, HashAlgorithm::SHA384, HashAlgorithm::SHA512];
const CIPHERS: [SymmetricAlgorithm; 2] = [SymmetricAlgorithm::AES128, SymmetricAlgorithm::AES256];

impl Cards {
    /// Its fingerprint, as the card has it, and the key.
    ///
    /// # Errors
    /// [`CardError::NoDecryptionKey`], or of the card.
    pub(super) fn decryption_key(&self, card: CardIdent) -> Result<(Fingerprint, DecryptionKey), CardError> {
        self.quick(card, move |slot| {
            slot.with_card(card, |mut exclusive, public, _| (read(&mut exclusive, public), Aftermath::Closed))
        })
    }
}

fn read(card: &mut Exclusive<'_>, public: &PublicData) -> Result<(Fingerprint, DecryptionKey), CardError> {
    let [_, name, _] = &public.keys;
    let name = name.clone().ok_or(CardError::NoDecryptionKey)?;
    let answer = match card.ask(&Command::read_public_key(SLOT)) {
        Err(CardError::Failed { status: 0x6A88, .. }) => return Err(CardError::NoDecryptionKey),
        other => other?,
    };
    let [_, attributes, _] = &public.algorithms;
    let key = candidates(attributes, made(&public.application), &answer)?
        .into_iter()
        .find(|key| key.fingerprint().as_bytes() == name.as_bytes())
        .ok_or_else(|| {
            CardError::UnsupportedKey(format!(
                "the card's decryption key does not have the fingerprint {name}"
            ))
        })?;
    Ok((name, Key::V4(key)))
}

/// The second of the three times at which keys were made.
fn made(application: &[u8]) -> SystemTime {
    let seconds = tlv::find(application, 0xCD)
        .and_then(|times| times.chunks_exact(4).nth(1))
        .and_then(|time| time.try_into().ok())
        .map_or(0, u32::from_be_bytes);
    UNIX_EPOCH + Duration::from_secs(u64::from(seconds))
}

/// Every key that it could be.
fn candidates(
    attributes: &[u8],
    made: SystemTime,
    answer: &[u8],
) -> Result<Vec<Key4<PublicParts, UnspecifiedRole>>, CardError> {
    let missing =
        || CardError::Malformed { command: "READ PUBLIC KEY", what: "no public key in it".to_owned() };
    let part = |tag: u16| tlv::find(answer, tag).ok_or_else(missing);
    let library = |error: openpgp::anyhow::Error| CardError::OpenPgp(error.to_string());
    if let [0x01, ..] = attributes {
        return Ok(vec![Key4::import_public_rsa(part(0x82)?, part(0x81)?, made).map_err(library)?]);
    }
    let curve = match attributes {
        [0x12, oid @ ..] => curve_of(oid),
        _ => None,
    };
    let curve = curve.ok_or_else(|| {
        let name = super::algorithm_name::in_words(attributes);
        CardError::UnsupportedKey(format!("{name} is not X25519, NIST P-256, NIST P-384 or RSA"))
    })?;
    let point = part(0x86)?;
    let ways = HASHES.into_iter().flat_map(|hash| CIPHERS.map(|cipher| (hash, cipher)));
    ways.map(|(hash, cipher)| match curve {
        Curve::Cv25519 => Key4::import_public_cv25519(bare(point), hash, cipher, made),
        _ => {
            let public = PublicKey::ECDH { curve: curve.clone(), q: MPI::new(point), hash, sym: cipher };
            Key4::new(made, PublicKeyAlgorithm::ECDH, public)
        }
    })
    .collect::<Result<_, _>>()
    .map_err(library)
}
