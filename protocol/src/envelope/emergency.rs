//! What server and hosts keep of an emergency code: enough to know it again, and not enough to type it.

use sequoia_openpgp::crypto::{Password, S2K};
use sequoia_openpgp::types::HashAlgorithm;

use crate::binary::Binary;
use crate::emergency::EmergencyCode;
use crate::ids::Digest;
use crate::random::{self, NoRandomness, Random};
use crate::roster::EmergencyVerifier;

/// Bytes that are hashed for one try (RFC 9580, 3.7.1.3; this very number has an encoding). A code has 80 random bits,
/// so that nobody finds it by trying even plain SHA-256; with 65,536 blocks for each try it is as if it had 96. A host
/// spends some ten milliseconds on it, once.
const HASHED: u32 = 4 * 1024 * 1024;

/// No verifier could be made.
#[derive(Debug, thiserror::Error)]
pub enum VerifierError {
    /// For the salt.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The library's hash.
    #[error("a code could not be hashed: {0}")]
    Hash(String),
}

/// Of a fresh code.
///
/// # Errors
/// [`VerifierError`].
pub fn verifier_of(code: &EmergencyCode, random: &dyn Random) -> Result<EmergencyVerifier, VerifierError> {
    let salt = random::array::<8>(random)?;
    Ok(EmergencyVerifier { salt: Binary(salt.to_vec()), digest: digest(code, salt)? })
}

/// Whether this is the code, in a time that does not tell how nearly it was.
#[must_use]
pub fn is_code_of(code: &EmergencyCode, verifier: &EmergencyVerifier) -> bool {
    let Ok(salt) = <[u8; 8]>::try_from(verifier.salt.0.as_slice()) else { return false };
    digest(code, salt).is_ok_and(|digest| {
        subtle::ConstantTimeEq::ct_eq(digest.as_bytes().as_slice(), verifier.digest.as_bytes().as_slice())
            .into()
    })
}

fn digest(code: &EmergencyCode, salt: [u8; 8]) -> Result<Digest, VerifierError> {
    let s2k = S2K::Iterated { hash: HashAlgorithm::SHA256, salt, hash_bytes: HASHED };
    let password = Password::from(code.plain());
    let key = s2k.derive_key(&password, 32).map_err(|error| VerifierError::Hash(error.to_string()))?;
    // Once more, so that what rests here is no key of anything.
    Ok(Digest::of(&key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn a_verifier_knows_its_own_code_and_no_other() {
        let code = EmergencyCode::new(&SystemRandom).unwrap();
        let verifier = verifier_of(&code, &SystemRandom).unwrap();
        assert!(is_code_of(&code, &verifier));
        assert!(!is_code_of(&EmergencyCode::new(&SystemRandom).unwrap(), &verifier));
        let again = verifier_of(&code, &SystemRandom).unwrap();
        assert_ne!(again, verifier, "salted");
        assert!(is_code_of(&code, &again));
        let swapped = EmergencyVerifier { salt: again.salt, digest: verifier.digest };
        assert!(!is_code_of(&code, &swapped));
        assert!(!is_code_of(&code, &EmergencyVerifier { salt: Binary(vec![0; 7]), digest: swapped.digest }));
    }

    /// What is in a roster today must be known again for ever.
    #[test]
    fn the_verifier_of_a_known_code_is_this() {
        let code = EmergencyCode::typed("7K3M-Q2ZD-04XR-9HFT").unwrap();
        let known = digest(&code, *b"eightsal").unwrap();
        assert_eq!(known.to_string(), "3cbef847afb8ae0fe5479a81a246df517de670ac0be0e8c0a1b357665f297d35");
    }
}
