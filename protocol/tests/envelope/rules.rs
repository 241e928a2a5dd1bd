//! What passes, and each way to be wrong.

use countersign_protocol::certificate;
use countersign_protocol::envelope::{OpenError, Seen, read_refusal, refuse, seal};
use countersign_protocol::ids::{CorrelationId, Digest, MessageId, Nonce};
use countersign_protocol::message::{
    CheckIn, Hello, HelloReply, InstanceKey, KeyStore, Message, Refusal, Transcript,
};
use countersign_protocol::random::SystemRandom;
use sequoia_openpgp as openpgp;

use openpgp::crypto::SessionKey;
use openpgp::packet::{PKESK, Packet, pkesk};
use openpgp::serialize::Serialize as _;
use openpgp::serialize::stream::{Encryptor, LiteralWriter, Message as Stream, Recipient};
use openpgp::types::{Features, SymmetricAlgorithm};

use crate::parties::{Handmade, NOW, Party, check_in, sealed};

#[test]
fn an_envelope_reaches_its_receiver_and_only_once() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let sent = sealed(&host, &server);
    let opened = server.open(sent.bytes(), &[&host]).unwrap();
    assert_eq!(opened.in_reply_to(), sent.in_reply_to());
    assert_eq!(opened.signers()[0].certificate, certificate::fingerprint(&host.cert).unwrap());
    let verified = opened.clone().admit(Seen::Never).unwrap();
    assert_eq!(verified.body::<CheckIn>().unwrap().counter, 1);
    assert_eq!(verified.literal(), sent.literal());
    assert_eq!(opened.clone().admit(Seen::SameBytes).unwrap_err(), OpenError::Replay);
    assert_eq!(opened.admit(Seen::OtherBytes).unwrap_err(), OpenError::IdReused);
}

#[test]
fn the_handmade_envelope_is_good_when_no_rule_is_broken() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let bytes = Handmade::new(&host, &server).bytes(&check_in(&server).to_bytes().unwrap());
    server.open(&bytes, &[&host]).map(|_| ()).unwrap();
}

#[test]
fn message_without_intended_recipient_is_refused() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let mut envelope = Handmade::new(&host, &server);
    envelope.intended.clear();
    let bytes = envelope.bytes(&check_in(&server).to_bytes().unwrap());
    assert_eq!(server.open(&bytes, &[&host]).unwrap_err(), OpenError::IntendedRecipient("none".into()));
}

#[test]
fn message_with_two_intended_recipients_is_refused() {
    let (host, server, other) = (Party::new("host"), Party::new("server"), Party::new("other"));
    let mut envelope = Handmade::new(&host, &server);
    envelope.intended.push(&other.cert);
    let bytes = envelope.bytes(&check_in(&server).to_bytes().unwrap());
    assert_eq!(server.open(&bytes, &[&host]).unwrap_err(), OpenError::IntendedRecipient("several".into()));
}

#[test]
fn envelope_forwarded_to_another_recipient_is_refused() {
    // What the host signed for one server, encrypted anew by that server for another.
    let (host, server, other) = (Party::new("host"), Party::new("server"), Party::new("other"));
    let mut envelope = Handmade::new(&host, &server);
    envelope.to = vec![&other.cert];
    let bytes = envelope.bytes(&check_in(&server).to_bytes().unwrap());
    let error = other.open(&bytes, &[&host]).unwrap_err();
    assert!(matches!(error, OpenError::Signature(_) | OpenError::IntendedRecipient(_)), "{error}");
}

#[test]
fn audience_of_another_server_is_refused() {
    let (host, server, other) = (Party::new("host"), Party::new("server"), Party::new("other"));
    let bytes = Handmade::new(&host, &other).bytes(&check_in(&server).to_bytes().unwrap());
    assert!(matches!(other.open(&bytes, &[&host]), Err(OpenError::Audience(_))));
}

#[test]
fn unsigned_envelope_is_refused() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let mut envelope = Handmade::new(&host, &server);
    envelope.signers.clear();
    let bytes = envelope.bytes(&check_in(&server).to_bytes().unwrap());
    let error = server.open(&bytes, &[&host]).unwrap_err();
    assert!(matches!(error, OpenError::Structure(_)), "{error}");
}

#[test]
fn envelope_of_a_stranger_is_refused() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let sent = sealed(&host, &server);
    let error = server.open(sent.bytes(), &[]).unwrap_err();
    assert!(matches!(error, OpenError::Signature(_)), "{error}");
}

#[test]
fn thousand_signatures_are_refused() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let mut envelope = Handmade::new(&host, &server);
    envelope.signers.extend((0..999).map(|_| host.signer()));
    let bytes = envelope.bytes(&check_in(&server).to_bytes().unwrap());
    assert_eq!(
        server.open(&bytes, &[&host]).unwrap_err(),
        OpenError::Signature("more than an envelope may have".into())
    );
}

#[test]
fn two_signatures_by_one_key_are_not_two_signatures() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let mut envelope = Handmade::new(&host, &server);
    envelope.signers.push(host.signer());
    let bytes = envelope.bytes(&check_in(&server).to_bytes().unwrap());
    assert_eq!(
        server.open(&bytes, &[&host]).unwrap_err(),
        OpenError::Signature("two by the same key".into())
    );
}

/// Anyone can make one, who knows a certificate.
#[test]
fn session_key_too_short_to_be_one_is_refused_and_ends_no_thread() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let sent = sealed(&host, &server);
    let key = server.cert.keys().subkeys().next().unwrap().key().clone().role_into_unspecified();
    let encryption = Handmade::new(&host, &server).bytes(b"{}");
    // The packet with the session key ends where the encryption begins: a tag, a length, and so many bytes.
    let encryption = &encryption[2 + usize::from(encryption[1])..];
    for length in 0..4 {
        let esk = key.encrypt(&SessionKey::from(vec![9; length])).unwrap();
        let named = Some(key.keyid());
        let packet = pkesk::PKESK3::new(named, key.pk_algo(), esk).unwrap();
        let mut bytes = Vec::new();
        Packet::from(PKESK::from(packet)).serialize(&mut bytes).unwrap();
        bytes.extend(encryption);
        let error = server.open(&bytes, &[&host]).unwrap_err();
        assert!(matches!(error, OpenError::NotDecrypted(_)), "{length}: {error}");
    }
    server.open(sent.bytes(), &[&host]).map(drop).unwrap();
}

/// Anyone can cut one short.
#[test]
fn envelope_that_is_cut_anywhere_is_refused_and_ends_no_thread() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let sent = sealed(&host, &server);
    // The older encryption, which nobody sends to a server, and which is begun with before that is known.
    let key = server.cert.keys().subkeys().next().unwrap().key();
    let recipient = Recipient::new(Features::empty().set_seipdv1(), Some(key.key_handle()), key);
    let mut old = Vec::new();
    let stream = Encryptor::for_recipients(Stream::new(&mut old), [recipient]).build().unwrap();
    LiteralWriter::new(stream).build().unwrap().finalize().unwrap();
    for bytes in [sent.bytes(), &old] {
        for at in (0..bytes.len()).filter(|at| *at < 400 || at % 97 == 0) {
            let error = server.open(&bytes[..at], &[&host]).unwrap_err();
            assert!(
                matches!(
                    error,
                    OpenError::NotDecrypted(_) | OpenError::Structure(_) | OpenError::Signature(_)
                ),
                "{at}: {error}"
            );
        }
    }
}

#[test]
fn compressed_envelope_is_refused() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let mut envelope = Handmade::new(&host, &server);
    envelope.compress = true;
    let bytes = envelope.bytes(&check_in(&server).to_bytes().unwrap());
    assert!(server.open(&bytes, &[&host]).is_err());
}

#[test]
fn envelope_for_three_receivers_is_refused() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let (second, third) = (Party::new("second"), Party::new("third"));
    let mut envelope = Handmade::new(&host, &server);
    envelope.to.extend([&second.cert, &third.cert]);
    let bytes = envelope.bytes(&check_in(&server).to_bytes().unwrap());
    let error = server.open(&bytes, &[&host]).unwrap_err();
    assert!(matches!(error, OpenError::Structure(_)), "{error}");
}

#[test]
fn cipher_outside_the_suite_is_refused() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let mut envelope = Handmade::new(&host, &server);
    envelope.cipher = SymmetricAlgorithm::AES128;
    let bytes = envelope.bytes(&check_in(&server).to_bytes().unwrap());
    let error = server.open(&bytes, &[&host]).unwrap_err();
    assert!(matches!(error, OpenError::Suite(_)), "{error}");
}

#[test]
fn skewed_clock_is_refused_and_the_refusal_tells_the_time() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let sent = sealed(&host, &server);
    for skew in [-121, 121] {
        let error = server.open_at(sent.bytes(), &[&host], NOW.plus(skew)).unwrap_err();
        assert_eq!(error, OpenError::Skew(-skew));
    }
    for skew in [-119, 119] {
        server.open_at(sent.bytes(), &[&host], NOW.plus(skew)).map(|_| ()).unwrap();
    }

    let real = NOW.plus(4 * 3600);
    let refusal = Refusal {
        correlation: CorrelationId::new(&SystemRandom).unwrap(),
        server_time: real,
        refused: sent.wire_digest(),
    };
    let bytes = refuse(&refusal, server.signer(), real).unwrap();
    assert_eq!(read_refusal(&bytes, &server.cert, &sent).unwrap(), refusal);
    assert!(read_refusal(&bytes, &host.cert, &sent).is_err(), "by another key");
    let another = sealed(&host, &server);
    assert!(read_refusal(&bytes, &server.cert, &another).is_err(), "of another message");
}

#[test]
fn message_back_dated_into_an_expired_keys_life_is_refused() {
    let born = NOW.plus(-86_400);
    let host = Party { cert: certificate::generate_software("host", born, Some(86_350)).unwrap() };
    let server = Party::new("server");
    for (back, expected) in [
        (100, OpenError::KeyNotAlive(certificate::fingerprint(&host.cert).unwrap())),
        (1000, OpenError::Skew(-1000)),
    ] {
        let mut envelope = Handmade::new(&host, &server);
        envelope.signed_at = NOW.plus(-back);
        let bytes = envelope.bytes(&check_in(&server).to_bytes().unwrap());
        assert_eq!(server.open(&bytes, &[&host]).unwrap_err(), expected);
    }
}

fn instance_key(instance: &Party, server: &Party) -> Message {
    let body = InstanceKey {
        certificate: certificate::to_bytes(&instance.cert).unwrap().into(),
        server_nonce: Nonce::new(&SystemRandom).unwrap(),
        token: None,
        claimed_hostname: "desk".into(),
        key_store: KeyStore::Sealed,
    };
    let audience = certificate::fingerprint(&server.cert).unwrap();
    Message::new(MessageId::new(&SystemRandom).unwrap(), NOW, audience, &body).unwrap()
}

#[test]
fn a_new_instance_proves_that_it_holds_its_key() {
    let (application, instance, server) = (Party::new("app"), Party::new("host"), Party::new("server"));
    let message = instance_key(&instance, &server);
    let both = vec![application.signer(), instance.signer()];
    let sent = seal(&message, both, &server.cert, NOW).unwrap();
    let opened = server.open(sent.bytes(), &[&application]).unwrap();
    let mut signed_by: Vec<_> = opened.signers().iter().map(|by| by.certificate.clone()).collect();
    let mut expected = vec![
        certificate::fingerprint(&application.cert).unwrap(),
        certificate::fingerprint(&instance.cert).unwrap(),
    ];
    signed_by.sort();
    expected.sort();
    assert_eq!(signed_by, expected);
}

#[test]
fn somebody_elses_certificate_cannot_be_brought() {
    let (application, instance, server) = (Party::new("app"), Party::new("host"), Party::new("server"));
    let thief = Party::new("thief");
    let message = instance_key(&instance, &server);
    let sent = seal(&message, vec![application.signer(), thief.signer()], &server.cert, NOW).unwrap();
    assert!(matches!(server.open(sent.bytes(), &[&application]), Err(OpenError::Signature(_))));
}

#[test]
fn only_an_instance_key_message_brings_its_own_certificate() {
    let (application, instance, server) = (Party::new("app"), Party::new("host"), Party::new("server"));
    let hello = Hello {
        ephemeral: certificate::to_bytes(&instance.cert).unwrap().into(),
        commitment: Digest::of(b"x"),
        nonce: Nonce::new(&SystemRandom).unwrap(),
        version: None,
    };
    let audience = certificate::fingerprint(&server.cert).unwrap();
    let message = Message::new(MessageId::new(&SystemRandom).unwrap(), NOW, audience, &hello).unwrap();
    let sent = seal(&message, vec![instance.signer()], &server.cert, NOW).unwrap();
    assert!(matches!(server.open(sent.bytes(), &[&application]), Err(OpenError::Signature(_))));
}

#[test]
fn a_reply_answers_one_request_only() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let (first, second) = (sealed(&host, &server), sealed(&host, &server));
    let reply = HelloReply {
        server_nonce: Nonce::new(&SystemRandom).unwrap(),
        expires: NOW.plus(60),
        application: "app".parse().unwrap(),
        version_retired: false,
    };
    let audience = certificate::fingerprint(&host.cert).unwrap();
    let message = Message::new(MessageId::new(&SystemRandom).unwrap(), NOW, audience, &reply)
        .unwrap()
        .with_transcript(Transcript::enrolment().then(first.literal()).digest())
        .answering(first.in_reply_to());
    let sent = seal(&message, vec![server.signer()], &host.cert, NOW).unwrap();
    let by = certificate::fingerprint(&server.cert).unwrap();
    let opened = host.open(sent.bytes(), &[&server]).unwrap();
    assert!(opened.clone().answering(&first, &by).is_ok());
    assert!(matches!(opened.clone().answering(&second, &by), Err(OpenError::NotOurAnswer(_))));
    let stranger = certificate::fingerprint(&host.cert).unwrap();
    assert!(matches!(opened.answering(&first, &stranger), Err(OpenError::Signature(_))));
}

#[test]
fn every_damaged_byte_is_noticed() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let sent = sealed(&host, &server);
    for at in 0..sent.bytes().len() {
        let mut bytes = sent.bytes().to_vec();
        bytes[at] ^= 0x40;
        if let Ok(opened) = server.open(&bytes, &[&host]) {
            // What is outside the encryption decides nothing.
            assert_eq!(*opened.message(), Message::from_bytes(sent.literal()).unwrap(), "byte {at}");
        }
    }
    for cut in 0..sent.bytes().len() {
        assert!(server.open(&sent.bytes()[..cut], &[&host]).is_err(), "cut at {cut}");
    }
    let mut longer = sent.bytes().to_vec();
    longer.extend_from_slice(b"trailing");
    assert!(server.open(&longer, &[&host]).is_err(), "trailing bytes");
}

#[test]
fn envelope_with_a_packet_in_front_is_the_same_message() {
    // Anyone on the way can add a marker packet outside the encryption.
    let (host, server) = (Party::new("host"), Party::new("server"));
    let sent = sealed(&host, &server);
    let mut framed = vec![0xCA, 3, b'P', b'G', b'P'];
    framed.extend_from_slice(sent.bytes());
    let (one, other) =
        (server.open(sent.bytes(), &[&host]).unwrap(), server.open(&framed, &[&host]).unwrap());
    assert_eq!(one.digest(), other.digest());
    assert_eq!(one.in_reply_to(), sent.in_reply_to());
    assert_ne!(one.wire_digest(), other.wire_digest());
}

#[test]
fn flood_of_packets_is_refused_before_it_costs_anything() {
    let server = Party::new("server");
    // Version 3 session-key packets of an unknown algorithm, as many as fit.
    let packet = [0xC1, 0x0C, 3, 0, 0, 0, 0, 0, 0, 0, 0, 99, 0, 0];
    let flood = packet.repeat(20_000);
    let began = std::time::Instant::now();
    assert!(server.open(&flood, &[]).is_err());
    assert!(began.elapsed() < std::time::Duration::from_secs(1), "took {:?}", began.elapsed());
}

#[test]
fn an_observer_learns_a_class_of_sizes_and_no_name() {
    let (host, server) = (Party::new("host"), Party::new("server"));
    let audience = certificate::fingerprint(&server.cert).unwrap();
    let said = |logins: usize| {
        let logins = (0..logins).map(|n| format!("login-{n}").parse().unwrap()).collect();
        let body = CheckIn {
            server_certificate: None,
            counter: 1,
            ledger_size: 0,
            logins,
            services: vec![],
            version: None,
        };
        let message =
            Message::new(MessageId::new(&SystemRandom).unwrap(), NOW, audience.clone(), &body).unwrap();
        seal(&message, vec![host.signer()], &server.cert, NOW).unwrap()
    };
    let sizes: std::collections::BTreeSet<usize> = (0..200).map(|n| said(n).bytes().len()).collect();
    assert_eq!(sizes.len(), 1, "whatever is in a small message, it is as large as another: {sizes:?}");
    let large: std::collections::BTreeSet<usize> = (0..200).map(|n| said(1000 + n).bytes().len()).collect();
    assert!(large.len() <= 8, "{large:?}");
    // No key's id, of either side, in what can be read without a key.
    let sent = said(3);
    for key in host.cert.keys().chain(server.cert.keys()) {
        let id = key.key().keyid();
        assert!(!sent.bytes().windows(8).any(|eight| eight == id.as_bytes()), "{id}");
    }
    assert_eq!(server.open(sent.bytes(), &[&host]).unwrap().digest(), sent.in_reply_to().digest);
}

#[test]
fn a_signature_that_names_thousands_of_keys_is_refused_before_they_are_compared() {
    use openpgp::packet::signature::SignatureBuilder;
    use openpgp::packet::signature::subpacket::{Subpacket, SubpacketArea, SubpacketValue};
    use sequoia_openpgp as openpgp;
    use std::io::Write as _;
    let (host, server) = (Party::new("host"), Party::new("server"));
    let names = |from: u16| {
        let name = |n: u16| {
            let mut bytes = [7; 20];
            bytes[..2].copy_from_slice(&n.to_be_bytes());
            SubpacketValue::IssuerFingerprint(openpgp::Fingerprint::from_bytes(4, &bytes).unwrap())
        };
        let all = (from..from + 2_000).map(|n| Subpacket::new(name(n), false).unwrap());
        SubpacketArea::new(all.collect()).unwrap()
    };
    let template = SignatureBuilder::new(openpgp::types::SignatureType::Binary)
        .modify_hashed_area(|_| Ok(names(0)))
        .and_then(|builder| builder.modify_unhashed_area(|_| Ok(names(2_000))))
        .unwrap();
    let literal = check_in(&server).to_bytes().unwrap();
    let mut inside = Vec::new();
    let signed = openpgp::serialize::stream::Signer::with_template(
        openpgp::serialize::stream::Message::new(&mut inside),
        host.signer(),
        template,
    )
    .unwrap()
    .creation_time(NOW.to_system_time())
    .add_intended_recipient(&server.cert)
    .build()
    .unwrap();
    let mut signed = openpgp::serialize::stream::LiteralWriter::new(signed).build().unwrap();
    signed.write_all(&literal).unwrap();
    signed.finalize().unwrap();
    let mut bytes = Vec::new();
    let recipients = server
        .cert
        .keys()
        .with_policy(certificate::policy(), NOW.to_system_time())
        .for_transport_encryption()
        .map(openpgp::serialize::stream::Recipient::from);
    let mut stream = openpgp::serialize::stream::Encryptor::for_recipients(
        openpgp::serialize::stream::Message::new(&mut bytes),
        recipients,
    )
    .build()
    .unwrap();
    stream.write_all(&inside).unwrap();
    stream.finalize().unwrap();
    let began = std::time::Instant::now();
    assert_eq!(
        server.open(&bytes, &[&host]).unwrap_err(),
        OpenError::Signature("it names more keys than could have made it".into())
    );
    assert!(began.elapsed() < std::time::Duration::from_secs(1), "took {:?}", began.elapsed());
}

#[test]
fn a_stranger_whom_nobody_introduces_has_no_certificate_read() {
    let (instance, server) = (Party::new("host"), Party::new("server"));
    let sent = seal(&instance_key(&instance, &server), vec![instance.signer()], &server.cert, NOW).unwrap();
    let error = server.open(sent.bytes(), &[]).unwrap_err();
    assert!(matches!(&error, OpenError::Signature(why) if why.contains("not enrolled")), "{error}");
}
