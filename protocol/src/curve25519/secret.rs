//! Secret keys in memory.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::signature::Ed25519KeyPair;
use sequoia_openpgp as openpgp;

use openpgp::Error;
use openpgp::crypto::mem::Protected;
use openpgp::crypto::mpi::{self, MPI, SecretKeyMaterial};
use openpgp::crypto::{Decryptor, KeyPair, SessionKey, Signer, ecdh};
use openpgp::packet::Key;
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::types::{Curve, HashAlgorithm};

use super::LENGTH;

/// A secret key that is in this process's memory, ready to sign or to open. It is wiped when its last holder is gone.
#[derive(Clone)]
pub struct SoftwareKey(Arc<Held>);

struct Held {
    public: Key<PublicParts, UnspecifiedRole>,
    secret: Secret,
}

enum Secret {
    Signs(Ed25519KeyPair),
    Opens(PrivateKey),
    /// A key of another kind, by the library's own back end.
    Other(Box<KeyPair>),
    /// It was tampered with: a signature over the wrong public half would give away the secret one.
    NotAPair,
}

impl fmt::Debug for SoftwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoftwareKey({})", self.0.public.fingerprint())
    }
}

impl From<KeyPair> for SoftwareKey {
    fn from(pair: KeyPair) -> Self {
        let public = pair.public().clone();
        let secret = pair.secret().map(|secret| by_curve(public.mpis(), secret));
        Self(Arc::new(Held { secret: secret.unwrap_or_else(|| Secret::Other(Box::new(pair))), public }))
    }
}

/// `None` for a key of another kind.
fn by_curve(public: &mpi::PublicKey, secret: &SecretKeyMaterial) -> Option<Secret> {
    match (public, secret) {
        (mpi::PublicKey::EdDSA { curve: Curve::Ed25519, q }, SecretKeyMaterial::EdDSA { scalar }) => {
            let seed = scalar.value_padded(LENGTH);
            let point = super::point(q).unwrap_or_default();
            let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, point);
            Some(pair.map_or(Secret::NotAPair, Secret::Signs))
        }
        (mpi::PublicKey::ECDH { curve: Curve::Cv25519, .. }, SecretKeyMaterial::ECDH { scalar }) => {
            // As a number it is written from its other end.
            let mut scalar = scalar.value_padded(LENGTH);
            scalar.reverse();
            PrivateKey::from_private_key(&X25519, &scalar).ok().map(Secret::Opens)
        }
        _ => None,
    }
}

fn not_for_that() -> openpgp::anyhow::Error {
    Error::InvalidOperation("a key of another kind".into()).into()
}

fn failed() -> openpgp::anyhow::Error {
    Error::InvalidOperation("its halves are not each other's, or nothing can be signed".into()).into()
}

impl Signer for SoftwareKey {
    fn public(&self) -> &Key<PublicParts, UnspecifiedRole> {
        &self.0.public
    }

    fn sign(&mut self, hash: HashAlgorithm, digest: &[u8]) -> openpgp::Result<mpi::Signature> {
        match &self.0.secret {
            Secret::Signs(key) => {
                let signature = key.try_sign(digest).map_err(|_| failed())?;
                let (r, s) = signature.as_ref().split_at_checked(LENGTH).ok_or_else(not_for_that)?;
                Ok(mpi::Signature::EdDSA { r: MPI::new(r), s: MPI::new(s) })
            }
            Secret::Other(pair) => pair.clone().sign(hash, digest),
            Secret::Opens(_) => Err(not_for_that()),
            Secret::NotAPair => Err(failed()),
        }
    }
}

impl Decryptor for SoftwareKey {
    fn public(&self) -> &Key<PublicParts, UnspecifiedRole> {
        &self.0.public
    }

    fn decrypt(
        &mut self,
        ciphertext: &mpi::Ciphertext,
        plaintext_len: Option<usize>,
    ) -> openpgp::Result<SessionKey> {
        match (&self.0.secret, ciphertext) {
            (Secret::Opens(key), mpi::Ciphertext::ECDH { e, .. }) => {
                let (point, _) = e.decode_point(&Curve::Cv25519)?;
                let weak = || Error::InvalidOperation("a point that shares nothing".into()).into();
                let shared = agree(key, UnparsedPublicKey::new(&X25519, point), weak(), |shared| {
                    Ok::<Protected, openpgp::anyhow::Error>(Protected::from(shared))
                })?;
                ecdh::decrypt_unwrap(&self.0.public, &shared, ciphertext, plaintext_len)
            }
            (Secret::Other(pair), _) => pair.clone().decrypt(ciphertext, plaintext_len),
            (Secret::Opens(_) | Secret::Signs(_) | Secret::NotAPair, _) => Err(not_for_that()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve25519::tests::signing_key;
    use openpgp::packet::key::Key4;

    #[test]
    fn a_secret_with_anothers_public_half_signs_nothing() {
        let (one, other) = (signing_key(), signing_key());
        let mixed: Key<_, UnspecifiedRole> =
            Key4::with_secret(one.creation_time(), one.pk_algo(), other.mpis().clone(), one.secret().clone())
                .unwrap()
                .into();
        let mut mixed = SoftwareKey::from(mixed.into_keypair().unwrap());
        assert!(mixed.sign(HashAlgorithm::SHA512, &[7; 64]).is_err());
    }
}
