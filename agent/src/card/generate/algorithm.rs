//! Which keys a card can make, how it is told, and the OpenPGP key around what it answers.

use std::str::FromStr;

use sequoia_openpgp as openpgp;

use countersign_protocol::clock::Timestamp;
use openpgp::crypto::mpi::{MPI, PublicKey};
use openpgp::packet::key::{Key4, PublicParts, UnspecifiedRole};
use openpgp::types::{Curve, HashAlgorithm, PublicKeyAlgorithm, SymmetricAlgorithm};
use openpgp_card::ocard::KeyType;
use openpgp_card::ocard::algorithm::{AlgorithmAttributes, AlgorithmInformation};

use super::super::apdu::Command;
use super::super::error::CardError;
use super::super::link::Exclusive;
use super::super::public::PublicData;
use super::super::sign::SigningSlot;
use super::super::tlv;
use super::Made;

/// A kind of key that cards make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 and X25519: the best choice where the card has it.
    Curve25519,
    /// NIST P-256.
    NistP256,
    /// NIST P-384.
    NistP384,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits: minutes to make on a slow card.
    Rsa4096,
}

impl Algorithm {
    /// What to know before keys of this kind are made.
    #[must_use]
    pub const fn warning(self) -> Option<&'static str> {
        match self {
            Self::Rsa4096 => Some(
                "RSA-4096 is slow: minutes to make, and seconds for each login. curve25519 is not, and no weaker.",
            ),
            Self::Curve25519 | Self::NistP256 | Self::NistP384 | Self::Rsa2048 | Self::Rsa3072 => None,
        }
    }
}

/// The name is not one of an algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an algorithm for cards; choose curve25519, nist-p256, nist-p384, rsa2048, rsa3072 or rsa4096"
)]
pub struct UnknownAlgorithm(String);

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Ok(match name {
            "curve25519" => Self::Curve25519,
            "nist-p256" => Self::NistP256,
            "nist-p384" => Self::NistP384,
            "rsa2048" => Self::Rsa2048,
            "rsa3072" => Self::Rsa3072,
            "rsa4096" => Self::Rsa4096,
            _ => return Err(UnknownAlgorithm(name.to_owned())),
        })
    }
}

/// One of a card's three places for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Slot {
    Signature,
    Decryption,
    Authentication,
}

/// Object identifiers without tag and length (card 3.4.1, 4.4.3.10).
const P256: [u8; 8] = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const P384: [u8; 5] = [0x2B, 0x81, 0x04, 0x00, 0x22];
const ED25519: [u8; 9] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x0F, 0x01];
const X25519: [u8; 10] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0x97, 0x55, 0x01, 0x05, 0x01];

impl Slot {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Decryption => "decryption",
            Self::Authentication => "authentication",
        }
    }

    /// As a slot that signs, if it is one.
    pub(super) const fn signing(self) -> Option<SigningSlot> {
        match self {
            Self::Signature => Some(SigningSlot::Signature),
            Self::Authentication => Some(SigningSlot::Authentication),
            Self::Decryption => None,
        }
    }

    /// Control reference, algorithm attributes, fingerprint, generation time.
    const fn tags(self) -> [u8; 4] {
        match self {
            Self::Signature => [0xB6, 0xC1, 0xC7, 0xCE],
            Self::Decryption => [0xB8, 0xC2, 0xC8, 0xCF],
            Self::Authentication => [0xA4, 0xC3, 0xC9, 0xD0],
        }
    }

    /// Makes a key, and writes fingerprint and time beside it. The admin PIN was verified.
    pub(super) fn make_key(
        self,
        card: &mut Exclusive<'_>,
        public: &PublicData,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Made, CardError> {
        let [reference, attributes, fingerprint, time] = self.tags();
        let seconds = u32::try_from(now.seconds())
            .map_err(|_| CardError::OpenPgp(format!("{now} does not fit into a key")))?;
        self.set_algorithm(card, public, algorithm, attributes)?;
        let answer = card.ask(&Command::generate_key(reference))?;
        let key = self.key(algorithm, &answer, now)?;
        card.ask(&Command::put_data(u16::from(time), seconds.to_be_bytes().to_vec()))?;
        card.ask(&Command::put_data(u16::from(fingerprint), key.fingerprint().as_bytes().to_vec()))?;
        Ok(Made { slot: self, key })
    }

    fn set_algorithm(
        self,
        card: &mut Exclusive<'_>,
        public: &PublicData,
        algorithm: Algorithm,
        tag: u8,
    ) -> Result<(), CardError> {
        let [signature, decryption, authentication] = &public.algorithms;
        let current = match self {
            Self::Signature => signature,
            Self::Decryption => decryption,
            Self::Authentication => authentication,
        };
        let wanted = self.attributes(card, current, algorithm)?;
        if *current == wanted {
            return Ok(());
        }
        let cannot = || CardError::Unsupported(format!("{algorithm:?} is not among its algorithms"));
        if !public.algorithms_change {
            return Err(cannot());
        }
        match card.send(&Command::put_data(u16::from(tag), wanted))?.status {
            0x9000 => Ok(()),
            // Wrong data, function not supported, key reference not found: what cards say to a curve they lack.
            0x6A80 | 0x6A81 | 0x6A88 => Err(cannot()),
            status => Err(CardError::Failed { command: "PUT DATA", status }),
        }
    }

    fn attributes(
        self,
        card: &mut Exclusive<'_>,
        current: &[u8],
        algorithm: Algorithm,
    ) -> Result<Vec<u8>, CardError> {
        let elliptic = |oid: &[u8]| {
            let identifier = match self {
                Self::Decryption => 0x12,
                _ if algorithm == Algorithm::Curve25519 => 0x16,
                _ => 0x13,
            };
            Ok([&[identifier], oid].concat())
        };
        match (algorithm, self) {
            (Algorithm::NistP256, _) => elliptic(&P256),
            (Algorithm::NistP384, _) => elliptic(&P384),
            (Algorithm::Curve25519, Self::Decryption) => elliptic(&X25519),
            (Algorithm::Curve25519, _) => elliptic(&ED25519),
            (Algorithm::Rsa2048, _) => self.rsa(card, current, 2048),
            (Algorithm::Rsa3072, _) => self.rsa(card, current, 3072),
            (Algorithm::Rsa4096, _) => self.rsa(card, current, 4096),
        }
    }

    /// The length of the exponent and the import format are the card's choice: from its list of
    /// algorithms, else from what it uses now, else what most cards use.
    fn rsa(self, card: &mut Exclusive<'_>, current: &[u8], bits: u16) -> Result<Vec<u8>, CardError> {
        let listed = card.send(&Command::get_data(0xFA))?;
        let kind = match self {
            Self::Signature => KeyType::Signing,
            Self::Decryption => KeyType::Decryption,
            Self::Authentication => KeyType::Authentication,
        };
        let choice = |attributes: &AlgorithmAttributes| match attributes {
            AlgorithmAttributes::Rsa(rsa) => Some((rsa.len_n(), rsa.len_e(), rsa.import_format())),
            _ => None,
        };
        let information = AlgorithmInformation::try_from(listed.data.as_slice()).ok();
        let from_list = information.filter(|_| listed.status == 0x9000).and_then(|list| {
            // The last entry: SmartPGP lists a variant first that it does not have.
            list.for_keytype(kind).into_iter().rev().filter_map(choice).find(|(n, ..)| *n == bits)
        });
        let from_current = || AlgorithmAttributes::try_from(current).ok().as_ref().and_then(choice);
        let (_, exponent, format) = from_list.or_else(from_current).unwrap_or((bits, 32, 0));
        Ok([&[0x01], &bits.to_be_bytes()[..], &exponent.to_be_bytes()[..], &[format]].concat())
    }

    fn key(
        self,
        algorithm: Algorithm,
        answer: &[u8],
        now: Timestamp,
    ) -> Result<Key4<PublicParts, UnspecifiedRole>, CardError> {
        let missing = || CardError::Malformed {
            command: "GENERATE ASYMMETRIC KEY PAIR",
            what: "no public key in it".to_owned(),
        };
        let part = |tag: u16| tlv::find(answer, tag).ok_or_else(missing);
        let library = |error: openpgp::anyhow::Error| CardError::OpenPgp(error.to_string());
        let time = now.to_system_time();
        let curve = |curve: Curve, hash, sym| {
            let q = MPI::new(part(0x86)?);
            let (algorithm, public) = match self {
                Self::Decryption => (PublicKeyAlgorithm::ECDH, PublicKey::ECDH { curve, q, hash, sym }),
                _ => (PublicKeyAlgorithm::ECDSA, PublicKey::ECDSA { curve, q }),
            };
            Key4::new(time, algorithm, public).map_err(library)
        };
        match (algorithm, self) {
            (Algorithm::NistP256, _) => {
                curve(Curve::NistP256, HashAlgorithm::SHA256, SymmetricAlgorithm::AES128)
            }
            (Algorithm::NistP384, _) => {
                curve(Curve::NistP384, HashAlgorithm::SHA384, SymmetricAlgorithm::AES256)
            }
            (Algorithm::Curve25519, Self::Decryption) => Key4::import_public_cv25519(
                bare(part(0x86)?),
                HashAlgorithm::SHA256,
                SymmetricAlgorithm::AES128,
                time,
            )
            .map_err(library),
            (Algorithm::Curve25519, _) => {
                Key4::import_public_ed25519(bare(part(0x86)?), time).map_err(library)
            }
            (Algorithm::Rsa2048 | Algorithm::Rsa3072 | Algorithm::Rsa4096, _) => {
                Key4::import_public_rsa(part(0x82)?, part(0x81)?, time).map_err(library)
            }
        }
    }
}

/// The curve of a decryption key. Some cards say behind the identifier in which form they take keys.
pub(in super::super) fn curve_of(oid: &[u8]) -> Option<Curve> {
    let known = [(&P256[..], Curve::NistP256), (&P384, Curve::NistP384), (&X25519, Curve::Cv25519)];
    known.into_iter().find(|(name, _)| oid.starts_with(name)).map(|(_, curve)| curve)
}

/// Some cards write OpenPGP's 0x40 before the 32 bytes of a point.
pub(in super::super) fn bare(point: &[u8]) -> &[u8] {
    match point {
        [0x40, rest @ ..] if rest.len() == 32 => rest,
        _ => point,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_of_the_protocol_has_its_name() {
        for name in ["curve25519", "nist-p256", "nist-p384", "rsa2048", "rsa3072", "rsa4096"] {
            assert!(name.parse::<Algorithm>().is_ok(), "{name}");
        }
        assert!("rsa1024".parse::<Algorithm>().is_err());
    }

    #[test]
    fn an_answer_without_a_key_is_refused() {
        for algorithm in [Algorithm::Curve25519, Algorithm::NistP256, Algorithm::Rsa2048] {
            let answer = Slot::Signature.key(algorithm, &[0x7F, 0x49, 0x00], Timestamp::from_seconds(1));
            assert!(matches!(answer, Err(CardError::Malformed { .. })));
        }
    }
}
