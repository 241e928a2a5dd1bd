//! A signing and a decryption subkey for a while, bound by a primary key that may be on a card or far away.

use std::time::Duration;

use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::crypto::{KeyPair, Signer};
use openpgp::packet::Key;
use openpgp::packet::key::{Key4, SecretParts, SubordinateRole};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::types::{Curve, HashAlgorithm, KeyFlags, SignatureType};

use super::{Cert, CertificateError, library, our_fingerprint};
use crate::clock::Timestamp;
use crate::ids::Fingerprint;

/// Makes a pair of Ed25519 and X25519 that claims to be made at `created` and lives for `life` seconds, and has
/// `primary` bind it to `base`. Gives the certificate with it, its secrets included and no others; and the signing key.
///
/// # Errors
/// The library fails, or whoever holds the primary key.
pub fn with_new_subkeys(
    base: &Cert,
    primary: &mut dyn Signer,
    created: Timestamp,
    life: i64,
) -> Result<(Cert, Fingerprint), CertificateError> {
    let signing = generate(Curve::Ed25519, true, created)?;
    let decryption = generate(Curve::Cv25519, false, created)?;
    let holder = base.primary_key().key();

    let mut own: KeyPair = signing.clone().into_keypair().map_err(library)?;
    let back = SignatureBuilder::new(SignatureType::PrimaryKeyBinding)
        .set_hash_algo(HashAlgorithm::SHA512)
        .set_signature_creation_time(created.to_system_time())
        .and_then(|builder| builder.sign_primary_key_binding(&mut own, holder, signing.parts_as_public()))
        .map_err(library)?;
    let signing_binding = binding(created, life, KeyFlags::empty().set_signing())
        .and_then(|builder| builder.set_embedded_signature(back))
        .and_then(|builder| builder.sign_subkey_binding(primary, Some(holder), signing.parts_as_public()))
        .map_err(library)?;
    let decryption_binding = binding(created, life, KeyFlags::empty().set_transport_encryption())
        .and_then(|builder| builder.sign_subkey_binding(primary, Some(holder), decryption.parts_as_public()))
        .map_err(library)?;

    let signing_key = our_fingerprint(&signing.fingerprint())?;
    let packets: Vec<Packet> = vec![
        Packet::from(signing),
        signing_binding.into(),
        Packet::from(decryption),
        decryption_binding.into(),
    ];
    let (cert, _changed) =
        base.clone().strip_secret_key_material().insert_packets(packets).map_err(library)?;
    Ok((cert, signing_key))
}

fn generate(
    curve: Curve,
    signs: bool,
    created: Timestamp,
) -> Result<Key<SecretParts, SubordinateRole>, CertificateError> {
    let mut key: Key4<SecretParts, SubordinateRole> = Key4::generate_ecc(signs, curve).map_err(library)?;
    key.set_creation_time(created.to_system_time()).map_err(library)?;
    Ok(Key::from(key))
}

/// SHA-256, because a P-256 key on a card signs nothing longer.
fn binding(created: Timestamp, life: i64, flags: KeyFlags) -> openpgp::Result<SignatureBuilder> {
    SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_hash_algo(HashAlgorithm::SHA256)
        .set_signature_creation_time(created.to_system_time())?
        .set_key_flags(flags)?
        .set_key_validity_period(Duration::from_secs(u64::try_from(life).unwrap_or(0)))
}
