use openpgp::Packet;
use openpgp::cert::{CertBuilder, CipherSuite};
use openpgp::packet::UserID;
use openpgp::packet::signature::SignatureBuilder;
use openpgp::types::{KeyFlags, ReasonForRevocation, SignatureType};

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
const DAY: i64 = 24 * 3600;

/// A certificate of one key, its binding made with this hash.
fn bound_with(hash: HashAlgorithm) -> (Fingerprint, Cert) {
    let software = certificate::generate_software("ana", NOW, None).unwrap();
    let key = certificate::fingerprint(&software).unwrap();
    let mut signer = certificate::signer_of(&software, &key).unwrap();
    let primary = software.primary_key().key().clone().parts_into_public();
    let user_id = UserID::from("ana");
    let binding = SignatureBuilder::new(SignatureType::PositiveCertification)
        .set_hash_algo(hash)
        .set_signature_creation_time(NOW.to_system_time())
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_certification().set_signing())
        .unwrap()
        .sign_userid_binding(&mut signer, &primary, &user_id)
        .unwrap();
    let packets = [Packet::from(primary), user_id.into(), binding.into()];
    (key, Cert::from_packets(packets.into_iter()).unwrap())
}

/// Keys of a card that holds these two.
fn card(signature: Option<Fingerprint>, decryption: Option<Fingerprint>) -> Vec<CardKey> {
    let key = |slot, fingerprint| CardKey {
        slot,
        fingerprint,
        algorithm: "Ed25519".to_owned(),
        created: None,
        made_on_card: None,
        touch: None,
    };
    vec![key(CardSlot::Signature, signature), key(CardSlot::Decryption, decryption)]
}

/// Primary key that signs, and an encryption subkey; made on the day before with this life.
fn usual(life: Option<i64>) -> (Fingerprint, Fingerprint, Cert) {
    let cert =
        certificate::generate_software("ana", NOW.plus(-DAY), life).unwrap().strip_secret_key_material();
    let subkey = cert.keys().subkeys().next().unwrap().key().fingerprint();
    (certificate::fingerprint(&cert).unwrap(), certificate::our_fingerprint(&subkey).unwrap(), cert)
}

fn why(key: &Fingerprint, cert: &Cert, now: Timestamp) -> (String, String) {
    let Misfit { what, fix } = why_not(key, cert, now).expect("a misfit");
    (what, fix)
}

#[test]
fn a_good_certificate_fits() {
    let (signing, encryption, cert) = usual(None);
    assert_eq!(why_not(&signing, &cert, NOW), None);
    let findings = examine(&card(Some(signing), Some(encryption)), &cert, NOW);
    assert!(findings.len() == 1 && !findings[0].refuses && findings[0].fix.is_none(), "{findings:?}");
}

#[test]
fn sha1_bindings_are_refused_and_the_fix_is_told() {
    let (key, modern) = bound_with(HashAlgorithm::SHA256);
    assert_eq!(why_not(&key, &modern, NOW), None);
    let (key, old) = bound_with(HashAlgorithm::SHA1);
    let (what, fix) = why(&key, &old, NOW);
    assert!(what.contains("SHA-1") && fix.contains("--quick-set-expire"), "{what}: {fix}");
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let (key, _) = bound_with(HashAlgorithm::SHA256);
    let (_, other) = bound_with(HashAlgorithm::SHA256);
    let (what, fix) = why(&key, &other, NOW);
    assert!(what.contains("does not hold") && fix.contains(&format!("gpg --export {key}")), "{what}: {fix}");
}

#[test]
fn an_expired_certificate_is_refused_with_its_date_and_one_that_ends_soon_is_told() {
    let (key, encryption, cert) = usual(Some(10 * DAY));
    assert_eq!(why_not(&key, &cert, NOW), None);
    let findings = examine(&card(Some(key.clone()), Some(encryption)), &cert, NOW);
    assert!(findings.iter().any(|found| !found.refuses && found.text.contains("ends on")), "{findings:?}");
    let (what, fix) = why(&key, &cert, NOW.plus(20 * DAY));
    assert!(what.contains("it ended on 2026-") && fix.contains("--quick-set-expire"), "{what}: {fix}");
}

#[test]
fn a_revoked_certificate_is_refused() {
    let software = certificate::generate_software("ana", NOW.plus(-DAY), None).unwrap();
    let key = certificate::fingerprint(&software).unwrap();
    let mut signer = certificate::signer_of(&software, &key).unwrap();
    let revocation = software.revoke(&mut signer, ReasonForRevocation::KeyCompromised, b"lost").unwrap();
    let revoked = software.strip_secret_key_material().insert_packets(revocation).unwrap().0;
    let (what, fix) = why(&key, &revoked, NOW);
    assert!(what.contains("revoked") && fix.contains("countersign card generate"), "{what}: {fix}");
}

#[test]
fn a_weak_key_and_one_that_may_not_sign_are_refused_as_what_they_are() {
    let build = |suite| {
        CertBuilder::new()
            .set_cipher_suite(suite)
            .set_profile(openpgp::Profile::RFC4880)
            .unwrap()
            .set_creation_time(NOW.to_system_time())
            .add_userid("ana")
            .add_transport_encryption_subkey()
            .generate()
            .unwrap()
            .0
            .strip_secret_key_material()
    };
    // Its primary key only certifies.
    let cert = build(CipherSuite::Cv25519);
    let key = certificate::fingerprint(&cert).unwrap();
    let (what, _) = why(&key, &cert, NOW);
    assert!(what.contains("to sign with"), "{what}");

    let cert = build(CipherSuite::P521);
    let key = certificate::fingerprint(&cert).unwrap();
    let (what, fix) = why(&key, &cert, NOW);
    assert!(what.contains("cannot be used") && fix.contains("countersign card generate"), "{what}: {fix}");
}

#[test]
fn missing_encryption_is_told_and_does_not_refuse() {
    let (signing, encryption, cert) = usual(None);
    for (decryption, words) in
        [(None, "holds no decryption key"), (Some(signing.clone()), "is not the certificate's")]
    {
        let findings = examine(&card(Some(signing.clone()), decryption), &cert, NOW);
        let told = findings.iter().find(|found| found.text.contains(words));
        assert!(told.is_some_and(|found| !found.refuses && found.fix.is_some()), "{findings:?}");
    }
    let (key, bare) = bound_with(HashAlgorithm::SHA256);
    let findings = examine(&card(Some(key), Some(encryption)), &bare, NOW);
    assert!(findings.iter().any(|found| found.text.contains("has no encryption key")), "{findings:?}");
}

#[test]
fn an_empty_card_fits_nothing() {
    let (_, _, cert) = usual(None);
    let findings = examine(&card(None, None), &cert, NOW);
    assert!(findings[0].refuses && findings[0].fix.as_ref().unwrap().contains("countersign card init"));
}
