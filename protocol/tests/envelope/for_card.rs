//! What is sealed to one person's card: who can open it, and each way to be wrong.

use std::io::Write as _;
use std::time::Duration;

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::curve25519::SoftwareKey;
use countersign_protocol::envelope::{
    OpenFromCardError, SealToCardError, can_seal_to, open_from_card, seal_to_card, sealed_to,
};
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::limits;
use sequoia_openpgp as openpgp;

use openpgp::cert::{CertBuilder, CipherSuite};
use openpgp::crypto::{Decryptor, SessionKey, mpi};
use openpgp::packet::key::{Key4, PublicParts, SecretParts, SubordinateRole, UnspecifiedRole};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::{Key, Packet, SEIP, Tag};
use openpgp::parse::{PacketParser, PacketParserResult, Parse as _};
use openpgp::serialize::stream::{
    Armorer, Compressor, Encryptor, LiteralWriter, Message as Stream, Recipient, Signer,
};
use openpgp::types::{
    CompressionAlgorithm, Curve, DataFormat, Features, KeyFlags, ReasonForRevocation, SignatureType,
    SymmetricAlgorithm,
};

use crate::parties::NOW;

const RESULT: &[u8] = b"{\"weight\":71}";

/// Somebody with a signing and an encryption key, a day old.
fn person(suite: CipherSuite) -> CertBuilder<'static> {
    CertBuilder::new()
        .set_cipher_suite(suite)
        .set_profile(openpgp::Profile::RFC4880)
        .unwrap()
        .set_creation_time(NOW.plus(-86_400).to_system_time())
        .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing())
        // As gpg 2.2 writes it, and the agent.
        .set_features(Features::empty().set_seipdv1())
        .unwrap()
        .add_userid("ana")
}

fn ana() -> Cert {
    person(CipherSuite::Cv25519).add_transport_encryption_subkey().generate().unwrap().0
}

fn key_of(cert: &Cert) -> Fingerprint {
    certificate::encryption_keys(cert, NOW).remove(0)
}

/// In the place of a card: counts how often it is asked.
struct Asked {
    key: SoftwareKey,
    times: usize,
}

impl Asked {
    fn of(cert: &Cert) -> Self {
        let pair = cert
            .keys()
            .unencrypted_secret()
            .subkeys()
            .next()
            .map(|found| found.key().clone().role_into_unspecified().into_keypair().unwrap());
        Self { key: pair.unwrap().into(), times: 0 }
    }
}

impl Decryptor for Asked {
    fn public(&self) -> &Key<PublicParts, UnspecifiedRole> {
        Decryptor::public(&self.key)
    }

    fn decrypt(&mut self, sealed: &mpi::Ciphertext, length: Option<usize>) -> openpgp::Result<SessionKey> {
        self.times += 1;
        self.key.decrypt(sealed, length)
    }
}

/// The tags of the packets outside, and the version of the encryption.
fn packets(bytes: &[u8]) -> (Vec<Tag>, u8) {
    let (mut tags, mut version) = (Vec::new(), 0);
    let mut next = PacketParser::from_bytes(bytes).unwrap();
    while let PacketParserResult::Some(parser) = next {
        if let Packet::SEIP(seip) = &parser.packet {
            version = if matches!(seip, SEIP::V1(_)) { 1 } else { 2 };
        }
        tags.push(parser.packet.tag());
        next = parser.next().unwrap().1;
    }
    (tags, version)
}

/// One more encryption key.
fn with_subkey(cert: Cert, mut key: Key4<SecretParts, SubordinateRole>, made: Timestamp) -> Cert {
    let made = made.to_system_time();
    key.set_creation_time(made).unwrap();
    let key = Key::V4(key);
    let mut signer = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_signature_creation_time(made)
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_transport_encryption())
        .unwrap();
    let binding = key.bind(&mut signer, &cert, binding).unwrap();
    cert.insert_packets([Packet::from(key), binding.into()]).unwrap().0
}

/// The library derives keys with AES-192, which is outside the suite; gpg does with AES-256, and so does the agent.
fn p384(sym: SymmetricAlgorithm) -> Key4<SecretParts, SubordinateRole> {
    let key: Key4<SecretParts, SubordinateRole> = Key4::generate_ecc(false, Curve::NistP384).unwrap();
    let mut public = key.mpis().clone();
    if let mpi::PublicKey::ECDH { sym: chosen, .. } = &mut public {
        *chosen = sym;
    }
    Key4::with_secret(key.creation_time(), key.pk_algo(), public, key.secret().clone()).unwrap()
}

#[test]
fn every_kind_of_key_that_cards_hold_opens_what_is_sealed_to_it() {
    let of = |suite| person(suite).add_transport_encryption_subkey().generate().unwrap().0;
    let mut certs =
        [CipherSuite::Cv25519, CipherSuite::P256, CipherSuite::RSA2k, CipherSuite::RSA4k].map(of).to_vec();
    certs.push(with_subkey(
        person(CipherSuite::P384).generate().unwrap().0,
        p384(SymmetricAlgorithm::AES256),
        NOW,
    ));
    for cert in certs {
        let kind = cert.keys().subkeys().next().unwrap().key().pk_algo();
        let sealed = seal_to_card(&cert, RESULT, NOW).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert!(sealed_to(&sealed).unwrap().is(&key_of(&cert)));
        let mut key = Asked::of(&cert);
        assert_eq!(*open_from_card(&sealed, &mut key).unwrap(), RESULT, "{kind}");
        assert_eq!(key.times, 1);
    }
}

#[test]
fn sizes_from_nothing_to_the_largest_are_sealed_and_opened_and_no_more() {
    let cert = ana();
    for size in [0, 1, 4096, limits::RESULT_FOR_CARD] {
        let sealed = seal_to_card(&cert, &vec![7; size], NOW).unwrap();
        assert!(sealed.len() <= limits::SEALED_FOR_CARD, "{size} became {}", sealed.len());
        assert_eq!(*open_from_card(&sealed, &mut Asked::of(&cert)).unwrap(), vec![7; size]);
    }
    let more = limits::RESULT_FOR_CARD + 1;
    assert_eq!(seal_to_card(&cert, &vec![7; more], NOW), Err(SealToCardError::TooLarge(more)));
    let long = vec![0xC1; limits::SEALED_FOR_CARD + 1];
    assert_eq!(
        open_from_card(&long, &mut Asked::of(&cert)).unwrap_err(),
        OpenFromCardError::Oversize(long.len())
    );
}

#[test]
fn encryption_is_what_gpg_reads_unless_the_certificate_asks_for_more() {
    let cert = ana();
    let sealed = seal_to_card(&cert, RESULT, NOW).unwrap();
    assert_eq!(packets(&sealed), (vec![Tag::PKESK, Tag::SEIP], 1));
    let modern = person(CipherSuite::Cv25519)
        .add_transport_encryption_subkey()
        .set_features(Features::empty().set_seipdv1().set_seipdv2())
        .unwrap()
        .generate()
        .unwrap()
        .0;
    let sealed = seal_to_card(&modern, RESULT, NOW).unwrap();
    assert_eq!(packets(&sealed), (vec![Tag::PKESK, Tag::SEIP], 2));
    assert!(sealed_to(&sealed).unwrap().is(&key_of(&modern)));
    assert_eq!(*open_from_card(&sealed, &mut Asked::of(&modern)).unwrap(), RESULT);
}

#[test]
fn only_keys_that_encrypt_now_and_fit_a_card_are_sealed_to() {
    let hour = Duration::from_secs(3600);
    let with =
        |flags: KeyFlags| person(CipherSuite::Cv25519).add_subkey(flags, None, None).generate().unwrap();
    let (at_rest, _) = with(KeyFlags::empty().set_storage_encryption());
    assert!(can_seal_to(&at_rest, NOW));
    assert!(seal_to_card(&at_rest, RESULT, NOW).is_ok());

    let none = person(CipherSuite::Cv25519).generate().unwrap().0;
    let signing = with(KeyFlags::empty().set_signing()).0;
    let authentication = with(KeyFlags::empty().set_authentication()).0;
    let (good, revocation) = with(KeyFlags::empty().set_transport_encryption());
    let revoked = good.clone().insert_packets(revocation).unwrap().0;
    let mut signer = good.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let subkey_revocation = openpgp::cert::SubkeyRevocationBuilder::new()
        .set_reason_for_revocation(ReasonForRevocation::KeyRetired, b"")
        .unwrap()
        .build(&mut signer, &good, good.keys().subkeys().next().unwrap().key(), None)
        .unwrap();
    let subkey_revoked = good.insert_packets(subkey_revocation).unwrap().0;
    let short = |whole: Option<Duration>, subkey: Option<Duration>| {
        let builder = person(CipherSuite::Cv25519).set_validity_period(whole);
        builder.add_subkey(KeyFlags::empty().set_transport_encryption(), subkey, None).generate().unwrap().0
    };
    let (expired, subkey_expired) = (short(Some(hour), None), short(None, Some(hour)));
    let too_long = person(CipherSuite::P521).add_transport_encryption_subkey().generate().unwrap().0;
    let outside =
        with_subkey(person(CipherSuite::P384).generate().unwrap().0, p384(SymmetricAlgorithm::AES192), NOW);
    // Revocations are of this day, whenever it is.
    let later = NOW.max(countersign_protocol::clock::Clock::now(&countersign_protocol::clock::SystemClock));
    for cert in
        [none, signing, authentication, revoked, subkey_revoked, expired, subkey_expired, too_long, outside]
    {
        assert!(!can_seal_to(&cert, later));
        let error = seal_to_card(&cert, RESULT, later).unwrap_err();
        assert_eq!(error, SealToCardError::NoKey(cert.fingerprint().to_string()));
        assert!(error.to_string().contains("countersign key rotate"), "{error}");
    }
}

#[test]
fn of_several_keys_the_one_made_last_is_sealed_to() {
    let cert = person(CipherSuite::Cv25519)
        .add_transport_encryption_subkey()
        .add_storage_encryption_subkey()
        .generate()
        .unwrap()
        .0;
    // A third one, half a day later, and one that cannot be on a card.
    let made = NOW.plus(-43_200);
    let cert = with_subkey(cert, Key4::generate_ecc(false, Curve::Cv25519).unwrap(), made);
    let cert = with_subkey(cert, Key4::generate_ecc(false, Curve::NistP521).unwrap(), NOW);
    assert_eq!(certificate::encryption_keys(&cert, NOW).len(), 4);
    let sealed = seal_to_card(&cert, RESULT, NOW).unwrap();
    assert_eq!(packets(&sealed).0, [Tag::PKESK, Tag::SEIP]);
    let to = sealed_to(&sealed).unwrap();
    let opens = |key: &Key<_, _>| to.is(&certificate::our_fingerprint(&key.fingerprint()).unwrap());
    let opening: Vec<_> = cert.keys().subkeys().map(|found| found.key()).filter(|key| opens(key)).collect();
    let [opening] = opening.as_slice() else { panic!("{opening:?}") };
    assert_eq!((opening.creation_time(), opening.mpis().bits()), (made.to_system_time(), Some(256)));
}

#[test]
fn key_that_nothing_names_is_not_asked() {
    let (ana, bob) = (ana(), ana());
    let sealed = seal_to_card(&bob, RESULT, NOW).unwrap();
    assert!(!sealed_to(&sealed).unwrap().is(&key_of(&ana)));
    let mut key = Asked::of(&ana);
    let error = open_from_card(&sealed, &mut key).unwrap_err();
    let name = bob.keys().subkeys().next().unwrap().key().keyid().to_string();
    assert!(matches!(&error, OpenFromCardError::OtherKey { to, .. } if *to == name), "{error}");
    assert_eq!(key.times, 0);
}

/// What is sealed by hand, so that one rule at a time can be broken.
struct Handmade<'a> {
    to: Vec<&'a Cert>,
    names_nobody: bool,
    password: bool,
    cipher: SymmetricAlgorithm,
    armour: bool,
    compress: bool,
    sign: bool,
    name: Option<&'static str>,
    format: DataFormat,
    literals: usize,
}

impl<'a> Handmade<'a> {
    fn to(cert: &'a Cert) -> Self {
        Self {
            to: vec![cert],
            names_nobody: false,
            password: false,
            cipher: SymmetricAlgorithm::AES256,
            armour: false,
            compress: false,
            sign: false,
            name: None,
            format: DataFormat::Binary,
            literals: 1,
        }
    }

    fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let keys: Vec<_> = self.to.iter().map(|cert| cert.keys().subkeys().next().unwrap().key()).collect();
        let recipients = keys.iter().map(|key| {
            let name = (!self.names_nobody).then(|| key.key_handle());
            Recipient::new(Features::empty().set_seipdv1(), name, *key)
        });
        let mut stream = Stream::new(&mut bytes);
        if self.armour {
            stream = Armorer::new(stream).build().unwrap();
        }
        let mut encryptor = Encryptor::for_recipients(stream, recipients).symmetric_algo(self.cipher);
        if self.password {
            encryptor = encryptor.add_passwords(["open"]);
        }
        stream = encryptor.build().unwrap();
        if self.compress {
            stream = Compressor::new(stream).algo(CompressionAlgorithm::Uncompressed).build().unwrap();
        }
        if self.sign {
            let cert = self.to.first().unwrap();
            let signer =
                cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
            stream =
                Signer::new(stream, signer).unwrap().creation_time(NOW.to_system_time()).build().unwrap();
        }
        for _ in 1..self.literals {
            let mut literal = openpgp::packet::Literal::new(DataFormat::Binary);
            literal.set_body(RESULT.to_vec());
            openpgp::serialize::Serialize::serialize(&Packet::from(literal), &mut stream).unwrap();
        }
        let mut literal = LiteralWriter::new(stream).format(self.format);
        if let Some(name) = self.name {
            literal = literal.filename(name).unwrap();
        }
        let mut stream = literal.build().unwrap();
        stream.write_all(RESULT).unwrap();
        stream.finalize().unwrap();
        bytes
    }
}

#[test]
fn the_handmade_one_is_opened_when_no_rule_is_broken() {
    let ana = ana();
    assert_eq!(*open_from_card(&Handmade::to(&ana).bytes(), &mut Asked::of(&ana)).unwrap(), RESULT);
}

#[test]
fn whatever_the_server_does_not_seal_is_refused() {
    let (ana, bob) = (ana(), ana());
    let made = || Handmade::to(&ana);
    for (what, sealed) in [
        ("armour", Handmade { armour: true, ..made() }),
        ("password", Handmade { password: true, ..made() }),
        ("to a second person", Handmade { to: vec![&ana, &bob], ..made() }),
        ("twice to one key", Handmade { to: vec![&ana, &ana], ..made() }),
        ("to nobody by name", Handmade { names_nobody: true, ..made() }),
        ("a flood of keys", Handmade { to: vec![&ana; 40], ..made() }),
    ] {
        let mut key = Asked::of(&ana);
        let error = open_from_card(&sealed.bytes(), &mut key).unwrap_err();
        let refused = matches!(error, OpenFromCardError::Structure(_) | OpenFromCardError::OtherKey { .. });
        assert!(refused, "{what}: {error}");
        assert_eq!(key.times, 0, "{what}: seen before the key is asked");
    }
    for (what, sealed) in [
        ("compression", Handmade { compress: true, ..made() }),
        ("signature", Handmade { sign: true, ..made() }),
        ("name", Handmade { name: Some("salary"), ..made() }),
        ("text", Handmade { format: DataFormat::Unicode, ..made() }),
        ("two literals", Handmade { literals: 2, ..made() }),
    ] {
        let error = open_from_card(&sealed.bytes(), &mut Asked::of(&ana)).unwrap_err();
        let refused = matches!(error, OpenFromCardError::Structure(_) | OpenFromCardError::NotDecrypted(_));
        assert!(refused, "{what}: {error}");
    }
    let weak = Handmade { cipher: SymmetricAlgorithm::AES128, ..made() };
    let error = open_from_card(&weak.bytes(), &mut Asked::of(&ana)).unwrap_err();
    assert_eq!(error, OpenFromCardError::Suite("AES-128".to_owned()));
}

#[test]
fn bytes_that_are_no_message_are_refused_without_asking_the_key() {
    let ana = ana();
    let sealed = seal_to_card(&ana, RESULT, NOW).unwrap();
    let session_key_only = &sealed[..2 + usize::from(sealed[1])];
    for bytes in [&b""[..], b"no", &[0xC1], session_key_only, &[sealed.clone(), sealed.clone()].concat()[1..]]
    {
        let mut key = Asked::of(&ana);
        assert!(sealed_to(bytes).is_err() || bytes == session_key_only, "{bytes:?}");
        assert!(open_from_card(bytes, &mut key).is_err());
        assert_eq!(key.times, 0);
    }
    assert!(open_from_card(&sealed.repeat(2), &mut Asked::of(&ana)).is_err());
}

#[test]
fn every_damaged_byte_is_noticed() {
    // Each kind of encryption ends in its own way.
    let modern = person(CipherSuite::Cv25519)
        .add_transport_encryption_subkey()
        .set_features(Features::empty().set_seipdv1().set_seipdv2())
        .unwrap();
    for cert in [ana(), modern.generate().unwrap().0] {
        let sealed = seal_to_card(&cert, RESULT, NOW).unwrap();
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 0x04;
            if let Ok(opened) = open_from_card(&damaged, &mut Asked::of(&cert)) {
                panic!("byte {at} of {}: {opened:?}", sealed.len());
            }
            assert!(open_from_card(&sealed[..at], &mut Asked::of(&cert)).is_err(), "cut at {at}");
        }
    }
}
