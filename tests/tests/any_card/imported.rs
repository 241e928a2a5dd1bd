//! An RSA key made on a computer and put on a card, as `gpg`'s `keytocard` does it: long ones take a card's firmware
//! minutes to make.

use countersign_tests::{Card, SELECT};
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::Packet;
use openpgp::crypto::mpi::{PublicKey, SecretKeyMaterial};
use openpgp::packet::key::{Key4, PrimaryRole, SecretKeyMaterial as Secret, SecretParts};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::{Key, UserID};
use openpgp::serialize::Serialize as _;
use openpgp::types::{HashAlgorithm, KeyFlags, SignatureType};

/// Puts a new signature key on a card that has factory PINs, and gives its certificate, binary.
pub(crate) fn rsa_key_on_card(card: &Card<'_>, bits: usize, user_id: &str) -> Vec<u8> {
    let key: Key4<SecretParts, PrimaryRole> = Key4::generate_rsa(bits).unwrap();
    let (exponent, modulus) = match key.mpis() {
        PublicKey::RSA { e, n } => (e.value().to_vec(), n.value().to_vec()),
        other => panic!("not RSA: {other:?}"),
    };
    assert_eq!(modulus.len(), bits / 8);
    let (p, q) = match key.secret() {
        Secret::Unencrypted(secret) => secret.map(|secret| match secret {
            SecretKeyMaterial::RSA { p, q, .. } => (p.value().to_vec(), q.value().to_vec()),
            other => panic!("not RSA: {other:?}"),
        }),
        Secret::Encrypted(_) => panic!("not encrypted"),
    };
    let made = key.creation_time().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let (fingerprint, made) = (key.fingerprint(), u32::try_from(made).unwrap());
    let admin = "12345678".bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
    let orders = [
        SELECT.to_owned(),
        format!("0020008308{admin}"),
        // What kind of key: bits of the modulus, 32 bits for the exponent, primes as they are.
        format!("00DA00C10601{bits:04X}002000"),
        put(0xDB, [0x3F, 0xFF], &extended_header(&exponent, [&p, &q])),
        put(0xDA, [0x00, 0xC7], fingerprint.as_bytes()),
        put(0xDA, [0x00, 0xCE], &made.to_be_bytes()),
    ];
    let orders: Vec<&str> = orders.iter().map(String::as_str).collect();
    let answers = card.send(&orders).unwrap();
    assert!(answers.iter().all(|answer| answer.ends_with("9000")), "{answers:?}");
    certificate(key, user_id)
}

/// Key, user id, and the signature over both.
fn certificate(key: Key4<SecretParts, PrimaryRole>, user_id: &str) -> Vec<u8> {
    let key = Key::V4(key);
    let user_id = UserID::from(user_id);
    let mut signer = key.clone().into_keypair().unwrap();
    let binding = SignatureBuilder::new(SignatureType::PositiveCertification)
        .set_hash_algo(HashAlgorithm::SHA256)
        .set_key_flags(KeyFlags::empty().set_certification().set_signing())
        .unwrap()
        .sign_userid_binding(&mut signer, key.parts_as_public(), &user_id)
        .unwrap();
    let packets = [Packet::from(key.take_secret().0), user_id.into(), binding.into()];
    let cert = Cert::from_packets(packets.into_iter()).unwrap();
    let mut bytes = Vec::new();
    cert.serialize(&mut bytes).unwrap();
    bytes
}

/// OpenPGP card 3.4.1, 4.4.3.12: the signature key's parts behind a list of their lengths.
fn extended_header(exponent: &[u8], primes: [&[u8]; 2]) -> Vec<u8> {
    let mut whole_exponent = vec![0; 4_usize.saturating_sub(exponent.len())];
    whole_exponent.extend_from_slice(exponent);
    let parts = [whole_exponent.as_slice(), primes[0], primes[1]];
    let lengths: Vec<u8> = [0x91, 0x92, 0x93]
        .into_iter()
        .zip(parts)
        .flat_map(|(tag, part)| [vec![tag], length(part.len())].concat())
        .collect();
    let template = [vec![0x7F, 0x48], length(lengths.len()), lengths].concat();
    let data = parts.concat();
    let data = [vec![0x5F, 0x48], length(data.len()), data].concat();
    let inside = [vec![0xB6, 0x00], template, data].concat();
    [vec![0x4D], length(inside.len()), inside].concat()
}

fn length(length: usize) -> Vec<u8> {
    let [.., high, low] = length.to_be_bytes();
    match length {
        0..=127 => vec![low],
        128..=255 => vec![0x81, low],
        _ => vec![0x82, high, low],
    }
}

/// PUT DATA, of any length.
fn put(instruction: u8, tag: [u8; 2], data: &[u8]) -> String {
    let [.., high, low] = data.len().to_be_bytes();
    let length = if data.len() < 256 { vec![low] } else { vec![0, high, low] };
    let bytes = [vec![0, instruction, tag[0], tag[1]], length, data.to_vec()].concat();
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
