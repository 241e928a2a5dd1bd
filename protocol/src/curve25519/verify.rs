//! Whether a signature is good.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::types::Curve;

use super::{LENGTH, point};

/// Whether `signature` is `key`'s over `digest`; `None` for keys of other kinds, and for what is no signature of this kind.
pub(crate) fn verifies(key: &mpi::PublicKey, signature: &mpi::Signature, digest: &[u8]) -> Option<bool> {
    let mpi::PublicKey::EdDSA { curve: Curve::Ed25519, q } = key else { return None };
    let mpi::Signature::EdDSA { r, s } = signature else { return None };
    let point = point(q)?;
    // Numbers are written without the zeros that they begin with.
    let (r, s) = (r.value_padded(LENGTH).ok()?, s.value_padded(LENGTH).ok()?);
    let signature = [&*r, &*s].concat();
    Some(UnparsedPublicKey::new(&ED25519, point).verify(digest, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve25519::SoftwareKey;
    use crate::curve25519::tests::signing_key;
    use sequoia_openpgp::crypto::Signer as _;
    use sequoia_openpgp::crypto::mpi::MPI;
    use sequoia_openpgp::types::HashAlgorithm::SHA512;

    #[test]
    fn the_library_and_we_say_the_same_of_each_others_signatures() {
        let other = signing_key();
        let (mut short, mut number) = (0, 0_u32);
        // Now and then a number has zeros in front, which are not written.
        while number < 300 || short == 0 {
            number += 1;
            let digest = [number.to_be_bytes(); 16].concat();
            let secret = signing_key();
            let mut pair = secret.clone().into_keypair().unwrap();
            let signatures =
                [SoftwareKey::from(pair.clone()).sign(SHA512, &digest), pair.sign(SHA512, &digest)]
                    .map(Result::unwrap);
            for signature in &signatures {
                let says = |key: &mpi::PublicKey, digest: &[u8]| verifies(key, signature, digest);
                assert_eq!(says(secret.mpis(), &digest), Some(true));
                secret.parts_as_public().verify(signature, SHA512, &digest).unwrap();
                assert_eq!(says(secret.mpis(), &digest[1..]), Some(false));
                assert_eq!(says(other.mpis(), &digest), Some(false));
                let mpi::Signature::EdDSA { r, s } = signature else { panic!("another kind") };
                short += usize::from(r.value().len() < LENGTH || s.value().len() < LENGTH);
            }
            assert_eq!(signatures[0], signatures[1], "one key signs one digest in one way");
        }
    }

    #[test]
    fn a_signature_that_was_made_over_into_another_is_none() {
        let secret = signing_key();
        let key = secret.mpis().clone();
        let mpi::Signature::EdDSA { r, s } =
            SoftwareKey::from(secret.into_keypair().unwrap()).sign(SHA512, &[7; 64]).unwrap()
        else {
            panic!("another kind")
        };
        // The order of the group, the lowest byte first. With it added, a careless verifier finds the same number.
        let order = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let mut carry = 0;
        let padded = s.value_padded(LENGTH).unwrap();
        let moved: Vec<u8> = padded
            .iter()
            .zip(order)
            .map(|(byte, more)| {
                let sum = u16::from(*byte) + more + carry;
                carry = sum >> 8;
                sum.to_le_bytes()[0]
            })
            .collect();
        let signature = mpi::Signature::EdDSA { r: r.clone(), s: MPI::new(&moved) };
        assert_eq!(verifies(&key, &signature, &[7; 64]), Some(false));
        let longer = mpi::Signature::EdDSA { r, s: MPI::new(&[&[1], &*padded].concat()) };
        assert_eq!(verifies(&key, &longer, &[7; 64]), None, "left to the library, which refuses it");
    }
}
