//! A session key for somebody: the packet that only they can open (RFC 9580, 5.1.2 and 11.5).

use aws_lc_rs::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use aws_lc_rs::rand::SystemRandom;
use sequoia_openpgp as openpgp;

use openpgp::Error;
use openpgp::crypto::mem::Protected;
use openpgp::crypto::mpi::{self, MPI};
use openpgp::crypto::{SessionKey, ecdh};
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::packet::{Key, PKESK, pkesk::PKESK6};
use openpgp::types::{Curve, HashAlgorithm, SymmetricAlgorithm};
use zeroize::Zeroizing;

use super::{NATIVE, point};

/// The curve's name, with its length before it (RFC 9580, 9.2).
const OID: &[u8] = b"\x0a\x2b\x06\x01\x04\x01\x97\x55\x01\x05\x01";

/// The algorithm's number: ECDH.
const ECDH: u8 = 18;

/// What is wrapped is brought to this length, so that it does not say how long the key is.
const WRAPPED: usize = 40;

/// A new key for AES-256.
pub(crate) fn fresh() -> openpgp::Result<SessionKey> {
    let mut key = SessionKey::from(vec![0; 32]);
    fill(&mut key)?;
    Ok(key)
}

/// What nobody can guess.
pub(crate) fn fill(bytes: &mut [u8]) -> openpgp::Result<()> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| Error::InvalidOperation("no randomness".into()).into())
}

/// `session_key` for the holder of `recipient`, without saying whose it is. For encryption of version 2 (SEIPDv2).
pub(crate) fn packet(
    session_key: &SessionKey,
    recipient: &Key<PublicParts, UnspecifiedRole>,
) -> openpgp::Result<PKESK> {
    let ours = match recipient.mpis() {
        mpi::PublicKey::ECDH {
            curve: Curve::Cv25519,
            q,
            hash: hash @ HashAlgorithm::SHA256,
            sym: wrap @ SymmetricAlgorithm::AES128,
        } if recipient.version() == 4 => point(q).map(|point| (point, *hash, *wrap)),
        _ => None,
    };
    let Some((point, hash, wrap)) = ours else {
        let mut packet = PKESK6::for_recipient(session_key, recipient)?;
        packet.set_recipient(None);
        return Ok(packet.into());
    };
    let ephemeral = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new());
    let failed = || Error::InvalidOperation("no key can be agreed on with it".into());
    let ephemeral = ephemeral.map_err(|_| failed())?;
    let public = ephemeral.compute_public_key().map_err(|_| failed())?;
    let theirs = UnparsedPublicKey::new(&X25519, point);
    let wrapping = agree_ephemeral(ephemeral, theirs, failed().into(), |shared| {
        wrapping_key(shared, recipient, hash, wrap)
    })?;
    let key = ecdh::aes_key_wrap(wrap, &wrapping, &padded(session_key))?.into_boxed_slice();
    let e = MPI::new(&[&[NATIVE], public.as_ref()].concat());
    Ok(PKESK6::new(None, recipient.pk_algo(), mpi::Ciphertext::ECDH { e, key })?.into())
}

/// The key, its check sum, and as many bytes as are missing, each of which says how many (RFC 9580, 5.1.5 and 11.5).
fn padded(session_key: &SessionKey) -> Protected {
    let sum = session_key.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
    let mut plain = Zeroizing::new(Vec::with_capacity(WRAPPED));
    plain.extend_from_slice(session_key);
    plain.extend_from_slice(&sum.to_be_bytes());
    let missing = WRAPPED.saturating_sub(plain.len());
    plain.resize(WRAPPED, u8::try_from(missing).unwrap_or_default());
    Protected::from(plain.as_slice())
}

/// One step of the derivation of NIST SP 800-56A with what RFC 6637, 8 has it take.
fn wrapping_key(
    shared: &[u8],
    recipient: &Key<PublicParts, UnspecifiedRole>,
    hash: HashAlgorithm,
    wrap: SymmetricAlgorithm,
) -> openpgp::Result<Protected> {
    let mut context = hash.context()?.for_digest();
    context.update(&[0, 0, 0, 1]);
    context.update(shared);
    context.update(OID);
    context.update(&[ECDH, 3, 1, hash.into(), wrap.into()]);
    context.update(b"Anonymous Sender    ");
    context.update(recipient.fingerprint().as_bytes());
    let mut key = Protected::from(vec![0; wrap.key_size()?]);
    // A shorter buffer takes the beginning.
    context.digest(&mut key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate;
    use crate::clock::Timestamp;
    use crate::curve25519::SoftwareKey;
    use openpgp::serialize::MarshalInto as _;

    #[test]
    fn the_library_opens_what_is_sealed_here_and_the_other_way_round() {
        let now = Timestamp::from_seconds(1_795_000_000);
        for _ in 0..300 {
            let cert = certificate::generate_software("host", now, None).unwrap();
            let key = cert.keys().subkeys().next().unwrap().key().clone().role_into_unspecified();
            let mut theirs = key.clone().parts_into_secret().unwrap().into_keypair().unwrap();
            let mut ours = SoftwareKey::from(theirs.clone());
            let key = key.parts_into_public();
            let session_key = fresh().unwrap();
            let sealed = packet(&session_key, &key).unwrap();
            assert!(sealed.recipient().is_none());
            let by_library = PKESK::from(PKESK6::for_recipient(&session_key, &key).unwrap());
            for packet in [&sealed, &by_library] {
                for opener in [&mut theirs as &mut dyn openpgp::crypto::Decryptor, &mut ours] {
                    let (_, opened) = packet.decrypt(opener, None).unwrap();
                    assert_eq!(opened, session_key);
                }
            }
            assert_eq!(sealed.esk().serialized_len(), by_library.esk().serialized_len());
        }
    }
}
