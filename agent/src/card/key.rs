//! Between a public key, what a card signs with it, and what comes back.

use sequoia_openpgp as openpgp;

use openpgp::crypto::mpi::{self, MPI, PublicKey};
use openpgp::packet::Key;
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::types::{Curve, HashAlgorithm};

use super::error::CardError;

/// A public signing key, as certificates hold it.
pub(super) type SigningKey = Key<PublicParts, UnspecifiedRole>;

/// How a card signs with this kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ed25519 in its older encoding.
    EdDsa,
    /// Ed25519 in its newer one.
    Ed25519,
    /// ECDSA over a curve whose order has this many bytes.
    EcDsa(usize),
    Rsa,
}

impl Kind {
    pub(super) fn of(key: &SigningKey) -> Result<Self, CardError> {
        match key.mpis() {
            PublicKey::EdDSA { curve: Curve::Ed25519, .. } => Ok(Self::EdDsa),
            PublicKey::Ed25519 { .. } => Ok(Self::Ed25519),
            PublicKey::ECDSA { curve: Curve::NistP256, .. } => Ok(Self::EcDsa(32)),
            PublicKey::ECDSA { curve: Curve::NistP384, .. } => Ok(Self::EcDsa(48)),
            PublicKey::RSA { .. } => Ok(Self::Rsa),
            _ => Err(CardError::UnsupportedKey(format!(
                "{} is not Ed25519, NIST P-256, NIST P-384 or RSA",
                key.pk_algo()
            ))),
        }
    }

    /// Best first.
    pub(super) const fn hashes(self) -> &'static [HashAlgorithm] {
        match self {
            Self::EdDsa | Self::Ed25519 | Self::Rsa => &[HashAlgorithm::SHA512, HashAlgorithm::SHA256],
            Self::EcDsa(32) => &[HashAlgorithm::SHA256, HashAlgorithm::SHA384, HashAlgorithm::SHA512],
            Self::EcDsa(_) => &[HashAlgorithm::SHA384, HashAlgorithm::SHA512],
        }
    }

    /// The data field of PSO: COMPUTE DIGITAL SIGNATURE.
    pub(super) fn input(self, hash: HashAlgorithm, digest: &[u8]) -> Result<Vec<u8>, CardError> {
        let unsupported = || CardError::OpenPgp(format!("{hash} cannot be signed by this key"));
        if !self.hashes().contains(&hash) {
            return Err(unsupported());
        }
        match self {
            Self::EdDsa | Self::Ed25519 => Ok(digest.to_vec()),
            // ECDSA uses the leftmost bits of a longer digest (FIPS 186-5, 6.4.1); cards want them cut.
            Self::EcDsa(bytes) => digest.get(..bytes).map(<[u8]>::to_vec).ok_or_else(unsupported),
            Self::Rsa => {
                let oid = hash.oid().map_err(|_| unsupported())?;
                Ok([oid, digest].concat())
            }
        }
    }

    /// The card's answer as OpenPGP writes it.
    pub(super) fn signature(self, answer: &[u8]) -> Result<mpi::Signature, CardError> {
        // An answer that was cut on its way says nothing about the card.
        let malformed = || CardError::Malformed {
            command: "PSO: COMPUTE DIGITAL SIGNATURE",
            what: format!("{} bytes in place of a signature", answer.len()),
        };
        let halves = |bytes: usize| match answer.split_at_checked(bytes) {
            Some((r, s)) if s.len() == bytes => Ok((MPI::new(r), MPI::new(s))),
            _ => Err(malformed()),
        };
        Ok(match self {
            Self::EdDsa => {
                let (r, s) = halves(32)?;
                mpi::Signature::EdDSA { r, s }
            }
            Self::Ed25519 => {
                let s: [u8; 64] = answer.try_into().map_err(|_| malformed())?;
                mpi::Signature::Ed25519 { s: Box::new(s) }
            }
            Self::EcDsa(bytes) => {
                let (r, s) = halves(bytes)?;
                mpi::Signature::ECDSA { r, s }
            }
            Self::Rsa if answer.is_empty() => return Err(malformed()),
            Self::Rsa => mpi::Signature::RSA { s: MPI::new(answer) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_cut_for_p256_and_wrapped_for_rsa() {
        let digest = [7; 64];
        assert_eq!(Kind::EcDsa(32).input(HashAlgorithm::SHA512, &digest).unwrap(), [7; 32]);
        assert_eq!(Kind::EdDsa.input(HashAlgorithm::SHA512, &digest).unwrap(), digest);
        let wrapped = Kind::Rsa.input(HashAlgorithm::SHA256, &[7; 32]).unwrap();
        assert_eq!(hex::encode(&wrapped[..19]), "3031300d060960864801650304020105000420");
        assert_eq!(wrapped.len(), 51);
    }

    #[test]
    fn an_answer_of_another_length_is_no_signature() {
        for (kind, length) in [
            (Kind::EdDsa, 64),
            (Kind::Ed25519, 64),
            (Kind::EcDsa(32), 64),
            (Kind::EcDsa(48), 96),
            (Kind::Rsa, 256),
        ] {
            assert!(kind.signature(&vec![7; length]).is_ok(), "{kind:?}");
            for other in
                [0, length / 2, length - 1, length + 1].into_iter().filter(|n| kind != Kind::Rsa || *n == 0)
            {
                let told = kind.signature(&vec![7; other]).unwrap_err().to_string();
                assert!(told.contains("makes no sense"), "{kind:?}, {other}: {told}");
            }
        }
    }

    #[test]
    fn sha1_is_never_signed() {
        for kind in [Kind::EdDsa, Kind::EcDsa(32), Kind::EcDsa(48), Kind::Rsa] {
            assert!(kind.input(HashAlgorithm::SHA1, &[0; 20]).is_err());
        }
        assert!(Kind::EcDsa(48).input(HashAlgorithm::SHA256, &[0; 32]).is_err());
    }
}
