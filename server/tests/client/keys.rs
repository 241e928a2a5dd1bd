//! Keys in software, in the places of cards.

use std::time::Duration;

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::BoxedSigner;
use countersign_protocol::ids::Fingerprint;
use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::packet::Key;
use openpgp::packet::key::{Key4, SecretParts, SubordinateRole};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::types::{Curve, KeyFlags, SignatureType};

/// A signer for one key of `cert`.
pub(crate) fn signer(cert: &Cert, key: &Fingerprint) -> BoxedSigner {
    Box::new(certificate::signer_of(cert, key).unwrap())
}

/// The signer of the primary key.
pub(crate) fn primary(cert: &Cert) -> BoxedSigner {
    signer(cert, &certificate::fingerprint(cert).unwrap())
}

/// A host's new key, with a session key.
pub(crate) fn newcomer(now: Timestamp) -> (Cert, Fingerprint) {
    let fresh = certificate::generate_software("host", now, None).unwrap();
    with_session_key(&fresh, now, Some(8 * 3600))
}

/// `cert` with a new signing subkey of `life` seconds (None: for ever) in the place of any other, and which it is.
pub(crate) fn with_session_key(cert: &Cert, now: Timestamp, life: Option<u64>) -> (Cert, Fingerprint) {
    let mut key: Key4<SecretParts, SubordinateRole> = Key4::generate_ecc(true, Curve::Ed25519).unwrap();
    key.set_creation_time(now.to_system_time()).unwrap();
    let key: Key<SecretParts, SubordinateRole> = key.into();
    let fingerprint = certificate::our_fingerprint(&key.fingerprint()).unwrap();

    let mut own = key.clone().into_keypair().unwrap();
    let back = SignatureBuilder::new(SignatureType::PrimaryKeyBinding)
        .set_signature_creation_time(now.to_system_time())
        .unwrap()
        .sign_primary_key_binding(&mut own, cert.primary_key().key(), key.parts_as_public())
        .unwrap();
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_signature_creation_time(now.to_system_time())
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_signing())
        .unwrap()
        .set_key_validity_period(life.map(Duration::from_secs))
        .unwrap()
        .set_embedded_signature(back)
        .unwrap()
        .sign_subkey_binding(&mut *primary(cert), Some(cert.primary_key().key()), key.parts_as_public())
        .unwrap();
    let signs =
        |binding: &openpgp::packet::Signature| binding.key_flags().is_some_and(|flags| flags.for_signing());
    let cert = cert.clone().retain_subkeys(|key| !key.self_signatures().any(signs));
    let cert = cert.insert_packets([Packet::from(key), binding.into()]).unwrap().0;
    (cert, fingerprint)
}

/// The bytes that make each of the certificate's keys secret.
pub(crate) fn secret_scalars(cert: &Cert) -> Vec<Vec<u8>> {
    use sequoia_openpgp::crypto::mpi::SecretKeyMaterial as Mpis;
    use sequoia_openpgp::packet::key::SecretKeyMaterial;
    let mut scalars = Vec::new();
    for key in cert.keys().secret() {
        let SecretKeyMaterial::Unencrypted(secret) = key.key().secret() else { continue };
        secret.map(|mpis| match mpis {
            Mpis::EdDSA { scalar } | Mpis::ECDH { scalar } => scalars.push(scalar.value().to_vec()),
            Mpis::Ed25519 { x } | Mpis::X25519 { x } => scalars.push(x.to_vec()),
            _ => {}
        });
    }
    scalars
}
