//! Between a sealed session key, what a card deciphers of it, and what comes back.

use sequoia_openpgp as openpgp;

use openpgp::crypto::mem::Protected;
use openpgp::crypto::mpi::{Ciphertext, PublicKey};
use openpgp::crypto::{SessionKey, ecdh};
use openpgp::packet::Key;
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::types::Curve;
use zeroize::Zeroizing;

use super::error::CardError;
use super::tlv;

/// A public key that something is sealed to.
pub(super) type DecryptionKey = Key<PublicParts, UnspecifiedRole>;

/// How a card deciphers with this kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// X25519 in its older encoding.
    X25519,
    /// ECDH over a curve whose coordinates have this many bytes.
    Ecdh(usize),
    /// RSA with a modulus of this many bytes.
    Rsa(usize),
}

impl Kind {
    pub(super) fn of(key: &DecryptionKey) -> Result<Self, CardError> {
        match key.mpis() {
            PublicKey::ECDH { curve: Curve::Cv25519, .. } => Ok(Self::X25519),
            PublicKey::ECDH { curve: Curve::NistP256, .. } => Ok(Self::Ecdh(32)),
            PublicKey::ECDH { curve: Curve::NistP384, .. } => Ok(Self::Ecdh(48)),
            PublicKey::RSA { n, .. } => Ok(Self::Rsa(n.value().len())),
            _ => Err(CardError::UnsupportedKey(format!(
                "{} is not X25519, NIST P-256, NIST P-384 or RSA",
                key.pk_algo()
            ))),
        }
    }

    /// The data field of PSO: DECIPHER (OpenPGP card 3.4.1, 7.2.11).
    pub(super) fn input(self, sealed: &Ciphertext) -> Result<Vec<u8>, CardError> {
        let input = match (self, sealed) {
            // A zero says that it is padded as for RSA. Leading zeros, which OpenPGP leaves away, count for the card.
            (Self::Rsa(length), Ciphertext::RSA { c }) => {
                c.value_padded(length).ok().map(|whole| [&[0], whole.as_ref()].concat())
            }
            (Self::X25519, Ciphertext::ECDH { e, .. }) => match e.value() {
                [0x40, point @ ..] if point.len() == 32 => cipher_object(point),
                _ => None,
            },
            (Self::Ecdh(length), Ciphertext::ECDH { e, .. }) => match e.value() {
                point @ [0x04, rest @ ..] if rest.len() == 2 * length => cipher_object(point),
                _ => None,
            },
            _ => None,
        };
        input.ok_or(CardError::NotDeciphered)
    }

    /// The session key, out of the card's answer.
    pub(super) fn session_key(
        self,
        key: &DecryptionKey,
        sealed: &Ciphertext,
        length: Option<usize>,
        answer: &Zeroizing<Vec<u8>>,
    ) -> Result<SessionKey, CardError> {
        // An answer that was cut on its way says nothing about the card.
        let malformed = || CardError::Malformed {
            command: "PSO: DECIPHER",
            what: format!("{} bytes in place of a secret", answer.len()),
        };
        let shared = match (self, answer.as_slice()) {
            (Self::Rsa(_), []) => return Err(malformed()),
            (Self::Rsa(_), key) => return Ok(key.into()),
            (Self::X25519, shared) if shared.len() == 32 => shared,
            (Self::Ecdh(length), shared) if shared.len() == length => shared,
            // Some cards give the whole point, of which the first coordinate is the secret.
            (Self::Ecdh(length), [0x04, point @ ..]) if point.len() == 2 * length => {
                point.get(..length).ok_or_else(malformed)?
            }
            _ => return Err(malformed()),
        };
        ecdh::decrypt_unwrap(key, &Protected::from(shared), sealed, length)
            .map_err(|_| CardError::NotDeciphered)
    }
}

/// The other side's point, as cards want it wrapped.
fn cipher_object(point: &[u8]) -> Option<Vec<u8>> {
    let key = tlv::write(0x7F49, &tlv::write(0x86, point)?)?;
    tlv::write(0xA6, &key)
}

#[cfg(test)]
mod tests {
    use openpgp::crypto::mpi::MPI;
    use openpgp::packet::key::Key4;
    use openpgp::types::{HashAlgorithm, SymmetricAlgorithm};

    use super::*;

    fn point(first: u8, length: usize) -> Ciphertext {
        let e = MPI::new(&[&[first], vec![7; length].as_slice()].concat());
        Ciphertext::ECDH { e, key: vec![9; 48].into() }
    }

    fn ana() -> DecryptionKey {
        let time = std::time::UNIX_EPOCH;
        let (hash, cipher) = (HashAlgorithm::SHA256, SymmetricAlgorithm::AES128);
        Key::V4(Key4::import_public_cv25519(&[9; 32], hash, cipher, time).unwrap())
    }

    #[test]
    fn points_and_numbers_are_written_as_the_card_wants_them() {
        let input = Kind::X25519.input(&point(0x40, 32)).unwrap();
        assert_eq!(hex::encode(&input[..7]), "a6257f49228620");
        assert_eq!(input[7..], [7; 32]);
        let input = Kind::Ecdh(48).input(&point(0x04, 96)).unwrap();
        assert_eq!(hex::encode(&input[..8]), "a6667f4963866104");
        // One whose first byte was zero.
        let sealed = Ciphertext::RSA { c: MPI::new(&[1; 255]) };
        let input = Kind::Rsa(256).input(&sealed).unwrap();
        assert_eq!((input.len(), &input[..3]), (257, &[0, 0, 1][..]));
    }

    #[test]
    fn what_no_key_of_the_kind_opens_goes_to_no_card() {
        let number = Ciphertext::RSA { c: MPI::new(&[1; 257]) };
        for (kind, sealed) in [
            (Kind::X25519, point(0x04, 32)),
            (Kind::X25519, point(0x40, 31)),
            (Kind::X25519, number.clone()),
            (Kind::Ecdh(32), point(0x40, 64)),
            (Kind::Ecdh(32), point(0x04, 96)),
            (Kind::Ecdh(32), point(0x02, 32)),
            (Kind::Rsa(256), point(0x40, 32)),
            (Kind::Rsa(256), number),
        ] {
            assert_eq!(kind.input(&sealed), Err(CardError::NotDeciphered), "{kind:?}: {sealed:?}");
        }
    }

    #[test]
    fn an_answer_of_another_length_is_no_secret() {
        let told = |kind: Kind, length| {
            let answer = Zeroizing::new(vec![4; length]);
            kind.session_key(&ana(), &point(0x40, 32), None, &answer).unwrap_err()
        };
        for length in [0, 31, 33, 65] {
            assert!(matches!(told(Kind::X25519, length), CardError::Malformed { .. }), "{length}");
        }
        for length in [0, 31, 33, 64, 66] {
            assert!(matches!(told(Kind::Ecdh(32), length), CardError::Malformed { .. }), "{length}");
        }
        assert!(matches!(told(Kind::Rsa(256), 0), CardError::Malformed { .. }));
        // A secret, and not the right one.
        assert_eq!(told(Kind::X25519, 32), CardError::NotDeciphered);
    }
}
