//! Envelopes that break one rule each, and the one answer to all of them.

use std::io::Write as _;
use std::time::Instant;

use countersign_protocol::certificate;
use countersign_protocol::envelope::Sealed;
use countersign_protocol::envelope::read_refusal;
use countersign_protocol::ids::{Digest, MessageId};
use countersign_protocol::ledger::EntryKind;
use countersign_protocol::limits;
use countersign_protocol::message::{
    CheckIn, CheckInReply, Decision, JobReply, JobRequest, Message, Refusal,
};
use sequoia_openpgp as openpgp;

use openpgp::serialize::stream::{
    Compressor, Encryptor, LiteralWriter, Message as Stream, Recipient, Signer,
};
use openpgp::types::{CompressionAlgorithm, Features, HashAlgorithm, SymmetricAlgorithm};

use crate::client::carrier::Answer;
use crate::client::forge::Forgery;
use crate::client::host::Host;
use crate::client::person::Person;
use crate::client::{keys, refusal};
use crate::fixture::Server;

fn check_in(host: &Host) -> Message {
    host.message(&CheckIn {
        server_certificate: None,
        counter: 9,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    })
}

/// The parts of a refusal that may differ, taken out.
fn opaque(bytes: &[u8], sent: &[u8]) -> Refusal {
    // What was refused has no `Sealed` of its own when it was forged: the text is read past the signature.
    let text = String::from_utf8_lossy(bytes);
    let text = &text[text.find("{\"correlation\"").unwrap()..];
    let refusal: Refusal = serde_json::from_str(&text[..=text.find('}').unwrap()]).unwrap();
    assert_eq!(refusal.refused, Digest::of(sent));
    refusal
}

#[test]
fn message_without_intended_recipient_is_refused() {
    let server = Server::new();
    let host = server.host();
    let literal = check_in(&host).to_bytes().unwrap();
    let honest = || Forgery::honest(&literal, host.session_signer(), &host.server, server.clock_now());
    let other = certificate::generate_software("other", server.clock_now(), None).unwrap();
    for intended in [vec![], vec![&other], vec![&host.server, &other]] {
        let bytes = Forgery { intended, ..honest() }.seal();
        assert_eq!(host.carrier.carry(&bytes).unwrap().status, 400);
        let reason = server.newest(EntryKind::Refusal).reason;
        assert!(reason.contains("recipient"), "{reason}");
    }
    assert_eq!(
        host.carrier.carry(&honest().seal()).unwrap().status,
        200,
        "the forger's honest work is taken"
    );
}

#[test]
fn envelope_forwarded_to_another_recipient_is_refused() {
    let (ours, theirs) = (Server::new(), Server::new());
    let (host, _admin, ana) = ours.with_ana();
    // What ana signed for the other server, which decrypts it and re-encrypts it to us – signatures untouched.
    let statement = host.statement(&ana, "open-session", &format!("session/{}", host.fingerprint()));
    let request = JobRequest { signed: ana.sign(&statement), body: None };
    let other = certificate::parse(&theirs.bundle.server_certificate.0).unwrap();
    let mut message = host.message(&request);
    message.audience = certificate::fingerprint(&other).unwrap();
    let literal = message.to_bytes().unwrap();
    let forwarded = Forgery {
        intended: vec![&other],
        ..Forgery::honest(&literal, host.session_signer(), &host.server, ours.clock_now())
    };
    assert_eq!(host.carrier.carry(&forwarded.seal()).unwrap().status, 400);
    // The subpacket alone changed, or the audience alone.
    let mut honest = message.clone();
    honest.audience = host.server_fingerprint();
    for (message, intended) in [(&message, &host.server), (&honest, &other)] {
        let literal = message.to_bytes().unwrap();
        let forged = Forgery {
            intended: vec![intended],
            ..Forgery::honest(&literal, host.session_signer(), &host.server, ours.clock_now())
        };
        assert_eq!(host.carrier.carry(&forged.seal()).unwrap().status, 400);
    }
}

#[test]
fn replay_gets_the_same_reply() {
    let server = Server::new();
    let (mut host, _admin, ana) = server.with_ana();
    let mut statement = host.statement(&ana, "open-session", &format!("session/{}", host.fingerprint()));
    statement.login = Some("ana".parse().unwrap());
    statement.service = Some("sshd".parse().unwrap());
    let sealed = host.seal(&host.message(&JobRequest { signed: ana.sign(&statement), body: None }));
    let first = host.open(&sealed, &host.send(&sealed));
    let entries = server.entries().len();
    let again = host.open(&sealed, &host.send(&sealed));
    assert_eq!(first.literal(), again.literal(), "byte for byte the same message inside");

    // The host restarted meanwhile and lost its old session keys: the reply comes for the new ones.
    assert_eq!(host.key_update(Some(3600)).status, 200);
    let elsewhere = server.another_door();
    let old = host.seal(&check_in(&host));
    assert_eq!(elsewhere.carry(old.bytes()).unwrap().status, 200);
    let reply: JobReply = first.body().unwrap();
    assert_eq!(reply.decision, Decision::Allowed);
    assert_eq!(server.entries().len(), entries + 1, "one for the key update, none for the replay");
}

#[test]
fn the_same_message_at_eight_doors_at_once_is_acted_upon_once() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let mut statement = host.statement(&ana, "open-session", &format!("session/{}", host.fingerprint()));
    statement.login = Some("ana".parse().unwrap());
    statement.service = Some("sshd".parse().unwrap());
    let sealed = host.seal(&host.message(&JobRequest { signed: ana.sign(&statement), body: None }));
    let before = server.entries().len();
    let replies: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (door, sealed, host) = (server.another_door(), &sealed, &host);
                scope
                    .spawn(move || host.open(sealed, &door.carry(sealed.bytes()).unwrap()).literal().to_vec())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(replies.iter().all(|reply| *reply == replies[0]));
    assert_eq!(server.entries().len(), before + 1);
}

#[test]
fn a_reply_lost_before_a_key_update_is_sealed_to_the_new_key() {
    let server = Server::new();
    let mut host = server.host();
    // A host may keep its signing key and change its decryption key; here all change, and the announcement
    // itself is what is sent again.
    let (cert, session_key) = keys::with_session_key(&host.cert, server.clock_now(), Some(3600));
    let certificate = countersign_protocol::binary::Binary(certificate::to_bytes(&cert).unwrap());
    let body = countersign_protocol::message::KeyUpdate { certificate, counter: 1 };
    let sealed = host.seal_as(&host.message(&body), keys::primary(&host.cert));
    let lost = host.send(&sealed);
    (host.cert, host.session_key) = (cert, session_key);
    let again = host.send(&sealed);
    assert_eq!(host.open(&sealed, &lost).literal(), host.open(&sealed, &again).literal());
    assert_eq!(host.check_in(2, 0, &[]).state, countersign_protocol::message::InstanceState::Active);
}

#[test]
fn same_id_with_other_bytes_is_refused_and_alarms() {
    let server = Server::new();
    let host = server.host();
    let message = check_in(&host);
    let mut later = message.clone();
    later.time = later.time.plus(1);
    let (one, other) = (host.seal(&message), host.seal(&later));
    assert_eq!(host.send(&one).status, 200);
    refusal(&host.send(&other), &host.server, &other);
    let alarm = server.newest(EntryKind::Alarm);
    assert_eq!(alarm.message, Some(message.id));
    assert!(alarm.reason.contains("other bytes"));
    let reply: CheckInReply = host.open(&one, &host.send(&one)).body().unwrap();
    assert_eq!(
        reply.state,
        countersign_protocol::message::InstanceState::Active,
        "the first is still answered"
    );
}

#[test]
fn only_the_newest_check_ins_reply_is_kept_and_an_old_one_is_not_acted_upon_again() {
    let server = Server::new();
    let host = server.host();
    let body = |counter| CheckIn {
        server_certificate: None,
        counter,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    };
    let (old, new) = (host.seal(&host.message(&body(1))), host.seal(&host.message(&body(2))));
    assert_eq!((host.send(&old).status, host.send(&old).status), (200, 200));
    assert_eq!((host.send(&new).status, host.send(&new).status), (200, 200));
    refusal(&host.send(&old), &host.server, &old);
    assert!(server.newest(EntryKind::Refusal).reason.contains("replay"));
    assert!(server.entries().iter().all(|entry| entry.kind != EntryKind::Alarm), "not taken for a clone");
}

#[test]
fn the_same_message_in_a_new_envelope_gets_the_same_reply() {
    let server = Server::new();
    let host = server.host();
    let message = check_in(&host);
    let (one, other) = (host.seal(&message), host.seal(&message));
    assert_ne!(one.bytes(), other.bytes());
    let first = host.open(&one, &host.send(&one));
    let again = host.open(&one, &host.send(&other));
    assert_eq!(first.literal(), again.literal());
}

fn a_login(host: &Host, ana: &Person) -> Sealed {
    let mut statement = host.statement(ana, "open-session", &format!("session/{}", host.fingerprint()));
    statement.login = Some("ana".parse().unwrap());
    statement.service = Some("sshd".parse().unwrap());
    host.seal(&host.message(&JobRequest { signed: ana.sign(&statement), body: None }))
}

#[test]
fn a_clock_that_leaps_and_comes_back_lets_no_message_in_twice() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let sealed = a_login(&host, &ana);
    let first = host.open(&sealed, &host.send(&sealed));
    server.clock.turn(2 * 3600);
    for _ in 0..3 {
        assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
        server.clock.turn(1);
    }
    server.clock.turn(-2 * 3600 - 3);
    let entries = server.entries().len();
    let again = host.open(&sealed, &host.send(&sealed));
    assert_eq!(first.literal(), again.literal());
    assert_eq!(server.entries().len(), entries);
}

#[test]
fn a_clock_set_back_past_what_was_forgotten_stops_the_server() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let sealed = a_login(&host, &ana);
    assert_eq!(host.send(&sealed).status, 200);
    server.clock.turn(2 * 3600);
    let store = server.store();
    let tx = store.begin().unwrap();
    tx.forget(server.clock_now().plus(-limits::REPLAY_MEMORY)).unwrap();
    tx.commit().unwrap();
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed, "its own time is good");
    let entries = server.entries().len();

    server.clock.turn(-2 * 3600);
    let answer = host.send(&sealed);
    assert_eq!(answer.status, 503);
    assert!(String::from_utf8(answer.body).unwrap().contains("the clock is"));
    assert_eq!(server.entries().len(), entries);
}

#[test]
fn skewed_clock_is_told_the_servers_time() {
    let server = Server::new();
    let host = server.host();
    for (counter, skew) in (1_u64..).zip([-3600_i64, -121, 121, 86_400]) {
        let mut message = check_in(&host);
        message.body["counter"] = counter.into();
        message.id = MessageId::new(&countersign_protocol::random::SystemRandom).unwrap();
        message.time = server.clock_now().plus(skew);
        let sealed = host.seal(&message);
        let refusal = refusal(&host.send(&sealed), &host.server, &sealed);
        assert_eq!(refusal.server_time, server.clock_now());
        assert!(server.newest(EntryKind::Refusal).reason.contains("s from now"));
        // The client computes its offset and tries again.
        message.id = MessageId::new(&countersign_protocol::random::SystemRandom).unwrap();
        message.time = message.time.plus(refusal.server_time.seconds_since(message.time));
        assert_eq!(host.send(&host.seal(&message)).status, 200);
    }
}

#[test]
fn suite_downgrade_is_refused() {
    let server = Server::new();
    let host = server.host();
    let literal = check_in(&host).to_bytes().unwrap();
    let honest = || Forgery::honest(&literal, host.session_signer(), &host.server, server.clock_now());
    for hash in [HashAlgorithm::SHA1, HashAlgorithm::SHA224] {
        let bytes = Forgery { hash, ..honest() }.seal();
        assert_eq!(host.carrier.carry(&bytes).unwrap().status, 400, "{hash:?}");
    }
    for cipher in [SymmetricAlgorithm::AES128, SymmetricAlgorithm::AES192] {
        if !cipher.is_supported() {
            continue;
        }
        let bytes = Forgery { cipher, ..honest() }.seal();
        assert_eq!(host.carrier.carry(&bytes).unwrap().status, 400, "{cipher:?}");
    }
    let bytes = Forgery { seipdv1: true, ..honest() }.seal();
    assert_eq!(host.carrier.carry(&bytes).unwrap().status, 400, "no AEAD");
    let bytes = honest().seal();
    let status = host.carrier.carry(&bytes).unwrap().status;
    assert_eq!(status, 200, "the suite itself is taken: {}", server.entries().pop().unwrap().reason);
}

#[test]
fn thousand_signatures_are_refused_cheaply() {
    let server = Server::new();
    let host = server.host();
    let literal = check_in(&host).to_bytes().unwrap();
    let signers = (0..1000).map(|_| host.session_signer()).collect();
    let honest = Forgery::honest(&literal, host.session_signer(), &host.server, server.clock_now());
    let bytes = Forgery { signers, ..honest }.seal();
    assert!(bytes.len() < limits::ENVELOPE, "it must get as far as the packets");
    let began = Instant::now();
    let answer = host.carrier.carry(&bytes).unwrap();
    let took = began.elapsed();
    assert_eq!(answer.status, 400);
    // Checking them all would take a thousand verifications, about 0.1 s when optimised and more here.
    let one = {
        let sealed = host.seal(&check_in(&host));
        let began = Instant::now();
        assert_eq!(host.send(&sealed).status, 200);
        began.elapsed()
    };
    assert!(took < one * 20, "a thousand signatures took {took:?}, one message {one:?}");
}

/// A signed message with a layer that no envelope has around the literal.
fn compressed(host: &Host, literal: &[u8], server: &Server) -> Vec<u8> {
    let policy = openpgp::policy::StandardPolicy::new();
    let now = server.clock_now().to_system_time();
    let recipients: Vec<Recipient<'_>> = host
        .server
        .keys()
        .with_policy(&policy, now)
        .for_transport_encryption()
        .map(|key| Recipient::new(Features::empty().set_seipdv2(), key.key().key_handle(), key.key()))
        .collect();
    let mut bytes = Vec::new();
    let stream = Encryptor::for_recipients(Stream::new(&mut bytes), recipients).build().unwrap();
    let stream = Compressor::new(stream).algo(CompressionAlgorithm::Uncompressed).build().unwrap();
    let stream = Signer::new(stream, host.session_signer())
        .unwrap()
        .creation_time(now)
        .add_intended_recipient(&host.server)
        .build()
        .unwrap();
    let mut stream = LiteralWriter::new(stream).build().unwrap();
    stream.write_all(literal).unwrap();
    stream.finalize().unwrap();
    bytes
}

#[test]
fn compressed_message_is_refused() {
    let server = Server::new();
    let host = server.host();
    let literal = check_in(&host).to_bytes().unwrap();
    assert_eq!(host.carrier.carry(&compressed(&host, &literal, &server)).unwrap().status, 400);
    let reason = server.newest(EntryKind::Refusal).reason;
    assert!(reason.to_lowercase().contains("compress"), "{reason}");
}

#[test]
fn oversize_message_is_refused_before_it_is_looked_at() {
    let server = Server::new();
    let host = server.host();
    let began = Instant::now();
    assert_eq!(host.carrier.carry(&vec![0xC1; limits::ENVELOPE + 1]).unwrap().status, 400);
    assert!(began.elapsed().as_millis() < 500);
    assert!(server.newest(EntryKind::Refusal).reason.contains("oversize"));
}

#[test]
fn opaque_error_is_the_same_for_every_cause() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let now = server.clock_now();
    let literal = check_in(&host).to_bytes().unwrap();
    let honest = || Forgery::honest(&literal, host.session_signer(), &host.server, now);
    let other = certificate::generate_software("other", now, None).unwrap();
    let stranger = Person::new("stranger", now);
    let mut damaged = honest().seal();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let mut truncated = honest().seal();
    truncated.truncate(truncated.len() - 10);
    let mut late = check_in(&host);
    late.time = now.plus(-1000);
    let statement = host.statement(&ana, "open-session", "session/x");
    let mut unsigned = ana.sign(&statement);
    unsigned.signature.0.clear();
    let causes: Vec<(&str, Vec<u8>)> = vec![
        ("garbage", b"garbage".to_vec()),
        ("nothing", Vec::new()),
        ("damaged", damaged),
        ("truncated", truncated),
        ("for another", Forgery { encrypt_to: &other, ..honest() }.seal()),
        ("not signed", Forgery { signers: vec![], ..honest() }.seal()),
        ("a stranger's", Forgery { signers: vec![keys::primary(&stranger.cert)], ..honest() }.seal()),
        ("another recipient", Forgery { intended: vec![&other], ..honest() }.seal()),
        ("not JSON", Forgery { literal: b"{", ..honest() }.seal()),
        ("too late", host.seal(&late).bytes().to_vec()),
        (
            "bad statement",
            host.seal(&host.message(&JobRequest { signed: unsigned, body: None })).bytes().to_vec(),
        ),
        ("not permitted", host.seal_as(&check_in(&host), keys::primary(&host.cert)).bytes().to_vec()),
    ];
    let mut lengths = Vec::new();
    let mut correlations = Vec::new();
    for (cause, bytes) in &causes {
        let Answer { status, body, .. } = host.carrier.carry(bytes).unwrap();
        assert_eq!(status, 400, "{cause}");
        let refusal = opaque(&body, bytes);
        assert_eq!(refusal.server_time, now, "{cause}");
        lengths.push(body.len());
        correlations.push(refusal.correlation);
    }
    // The same shape to the byte; Ed25519 numbers lose a leading zero now and then.
    let (least, most) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
    assert!(most - least <= 4, "{lengths:?}");
    // Inside, each has its own reason, under the correlation id that was given out.
    let entries = server.entries();
    let mut reasons: Vec<&str> = correlations
        .iter()
        .map(|id| entries.iter().find(|entry| entry.correlation == *id).unwrap().reason.as_str())
        .collect();
    reasons.sort_unstable();
    reasons.dedup();
    assert!(reasons.len() >= 9, "{reasons:?}");
}

#[test]
fn a_flood_of_garbage_leaves_sixty_entries_a_minute() {
    let server = Server::new();
    let host = server.host();
    let before = server.entries().len();
    for n in 0..100_u8 {
        assert_eq!(host.carrier.carry(&[n]).unwrap().status, 400);
    }
    assert_eq!(server.entries().len() - before, 60);
    server.clock.turn(60);
    assert_eq!(host.carrier.carry(b"x").unwrap().status, 400);
    let entries = server.entries();
    assert!(entries[entries.len() - 2].reason.starts_with("40 more messages were refused"));
}

#[test]
fn garbage_hides_neither_a_hosts_refusal_nor_an_alarm() {
    let server = Server::new();
    let host = server.host();
    let message = check_in(&host);
    let mut later = message.clone();
    later.time = later.time.plus(1);
    assert_eq!(host.send(&host.seal(&message)).status, 200);
    for n in 0..100_u8 {
        assert_eq!(host.carrier.carry(&[n]).unwrap().status, 400);
    }
    let sealed = host.seal_as(&check_in(&host), keys::primary(&host.cert));
    refusal(&host.send(&sealed), &host.server, &sealed);
    let refused = server.newest(EntryKind::Refusal);
    assert_eq!(refused.detail["signed-by"], host.fingerprint().to_string());
    let sealed = host.seal(&later);
    refusal(&host.send(&sealed), &host.server, &sealed);
    assert_eq!(server.newest(EntryKind::Alarm).message, Some(message.id));
}

#[test]
fn a_refusal_is_for_one_message() {
    let server = Server::new();
    let host = server.host();
    let mut late = check_in(&host);
    late.time = server.clock_now().plus(-1000);
    let (one, other) = (host.seal(&late), host.seal(&late));
    let answer = host.send(&one);
    assert!(read_refusal(&answer.body, &host.server, &one).is_ok());
    assert!(read_refusal(&answer.body, &host.server, &other).is_err());
}
