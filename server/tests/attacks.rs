//! Attacks that no other file is about: what an observer sees, keys that were added, names that resemble, preferences.

use std::collections::BTreeSet;

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert, Pinned};
use countersign_protocol::envelope::{Opening, open, statement};
use countersign_protocol::ledger::EntryKind;
use countersign_protocol::message::{CheckIn, Decision, InstanceState, JobRequest, KeyUpdate};
use countersign_protocol::statement::Statement;
use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::packet::PKESK;
use openpgp::packet::signature::SignatureBuilder;
use openpgp::parse::Parse as _;
use openpgp::types::{Features, HashAlgorithm, SymmetricAlgorithm};

use crate::client::forge::Forgery;
use crate::client::host::Host;
use crate::client::keys;
use crate::client::person::Person;
use crate::client::refusal;
use crate::fixture::{Server, register};

/// What a request and its answer look like from outside.
fn seen(host: &Host, message: &countersign_protocol::message::Message) -> (Vec<u8>, Vec<u8>) {
    let sealed = host.seal(message);
    let answer = host.send(&sealed);
    assert_eq!(answer.status, 200);
    (sealed.bytes().to_vec(), answer.body)
}

#[test]
fn a_login_that_is_allowed_one_that_is_denied_and_a_check_in_look_alike_from_outside() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let job = |statement: &Statement| host.message(&JobRequest { signed: ana.sign(statement), body: None });
    let check_in = CheckIn {
        server_certificate: None,
        counter: 1,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    };
    let mut claimed = host.session(&ana, "ana");
    claimed.claimed = Some("systemctl restart a-service-with-a-long-name".into());
    let exchanges = [
        seen(&host, &job(&host.session(&ana, "ana"))),
        seen(&host, &job(&host.session(&ana, "somebody-else"))),
        seen(&host, &job(&claimed)),
        seen(&host, &host.message(&check_in)),
    ];
    let requests: BTreeSet<usize> = exchanges.iter().map(|(request, _)| request.len()).collect();
    assert_eq!(requests.len(), 1, "{requests:?}");
    let replies: BTreeSet<usize> = exchanges.iter().map(|(_, reply)| reply.len()).collect();
    assert_eq!(replies.len(), 1, "{replies:?}");

    // Nobody's key is named where it can be read: not as recipient, and not anywhere else.
    for bytes in exchanges.iter().flat_map(|(request, reply)| [request, reply]) {
        let packets = openpgp::PacketPile::from_bytes(bytes).unwrap();
        let recipients: Vec<_> = packets
            .children()
            .filter_map(|packet| match packet {
                Packet::PKESK(PKESK::V3(packet)) => Some(packet.recipient().is_some()),
                Packet::PKESK(PKESK::V6(packet)) => Some(packet.recipient().is_some()),
                _ => None,
            })
            .collect();
        assert_eq!(recipients, [false]);
        for key in [&host.cert, &host.server, &ana.cert].into_iter().flat_map(|cert| cert.keys()) {
            let id = key.key().keyid();
            assert!(!bytes.windows(8).any(|eight| eight == id.as_bytes()), "{id} can be read");
        }
    }
}

/// A statement of `person` that another key of theirs signed.
fn signed_with(person: &Person, statement: &Statement, cert: &Cert, key: &str) -> JobRequest {
    let _whose = &person.account;
    let signer = keys::signer(cert, &key.parse().unwrap());
    JobRequest { signed: statement::sign(statement, signer).unwrap(), body: None }
}

#[test]
fn a_signing_key_added_to_a_persons_certificate_signs_nothing() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    // Whoever has the primary key for a moment, of a card or a file, binds a key of their own to it.
    let (more, added) = keys::with_session_key(&ana.cert, server.clock_now(), None);
    let request = signed_with(&ana, &host.session(&ana, "ana"), &more, &added.to_string());
    let sealed = host.seal(&host.message(&request));
    refusal(&host.send(&sealed), &host.server, &sealed);
    assert_eq!(server.newest(EntryKind::Refusal).detail["signed-by"], host.fingerprint().to_string());

    // One that was there at the registration, and was not in the card that proved itself, signs as little.
    let created = server.invite(&host, &admin, "ben", &["ben"]);
    let (cert, beside) =
        keys::with_session_key(&Person::new("ben", server.clock_now()).cert, server.clock_now(), None);
    let ben = Person { cert, ..Person::new("ben", server.clock_now()) };
    register(&host, &ben, &created.code);
    assert_eq!(host.log_in(&ben, "ben").decision, Decision::Allowed);
    let request = signed_with(&ben, &host.session(&ben, "ben"), &ben.cert, &beside.to_string());
    let sealed = host.seal(&host.message(&request));
    refusal(&host.send(&sealed), &host.server, &sealed);
    let reason = server.newest(EntryKind::Refusal).reason;
    assert!(reason.contains(&beside.to_string()) && reason.contains("never registered"), "{reason}");
}

#[test]
fn a_hosts_certificate_grows_only_by_what_its_own_primary_key_signs() {
    let server = Server::new();
    let host = server.host();
    let (grown, added) = keys::with_session_key(&host.cert, server.clock_now(), Some(3600));
    // It was never announced.
    let literal = host.message(&CheckIn {
        server_certificate: None,
        counter: 5,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    });
    let sealed = host.seal_as(&literal, keys::signer(&grown, &added));
    refusal(&host.send(&sealed), &host.server, &sealed);
    // The session key, which lies in memory, announces nothing; nor does a stranger, or the host for another.
    let certificate = Binary(certificate::to_bytes(&grown).unwrap());
    let update = host.message(&KeyUpdate { certificate, counter: 6 });
    let stranger = Person::new("stranger", server.clock_now());
    let others = Binary(certificate::to_bytes(&stranger.cert).unwrap());
    let foreign = host.message(&KeyUpdate { certificate: others, counter: 7 });
    for sealed in [
        host.seal(&update),
        host.seal_as(&update, keys::primary(&stranger.cert)),
        host.seal_as(&foreign, keys::primary(&host.cert)),
    ] {
        refusal(&host.send(&sealed), &host.server, &sealed);
    }
    assert_eq!(host.check_in(8, 0, &[]).state, InstanceState::Active, "nothing of it counted");
}

#[test]
fn a_name_in_a_certificate_is_nobodys_identity() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let created = server.invite(&host, &admin, "eve", &["eve"]);
    // Eve's certificate says that she is ana, and the administrator, and the server.
    let now = server.clock_now();
    let (cert, _) = openpgp::cert::CertBuilder::new()
        .set_creation_time(now.to_system_time())
        .set_primary_key_flags(openpgp::types::KeyFlags::empty().set_certification().set_signing())
        .add_userid("ana")
        .add_userid("admin")
        .add_userid("countersign-server")
        .add_transport_encryption_subkey()
        .generate()
        .unwrap();
    let eve = Person { cert, ..Person::new("eve", server.clock_now()) };
    register(&host, &eve, &created.code);
    assert_eq!(host.log_in(&eve, "eve").decision, Decision::Allowed);
    assert_eq!(host.log_in(&eve, "ana").decision, Decision::Denied);
    for account in ["ana", "admin"] {
        let posing = Person { account: account.parse().unwrap(), cert: eve.cert.clone(), card: eve.card };
        let request = JobRequest { signed: posing.sign(&host.session(&posing, "ana")), body: None };
        let sealed = host.seal(&host.message(&request));
        refusal(&host.send(&sealed), &host.server, &sealed);
    }
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
}

/// `cert` with a new self-signature that asks for something weaker.
fn asking_for_less(cert: &Cert, now: countersign_protocol::clock::Timestamp) -> Cert {
    let policy = certificate::policy();
    let valid = cert.with_policy(policy, now.to_system_time()).unwrap();
    let name = valid.primary_userid().unwrap();
    let asked = SignatureBuilder::from(name.binding_signature().clone())
        .set_signature_creation_time(now.to_system_time())
        .and_then(|builder| builder.set_preferred_symmetric_algorithms(vec![SymmetricAlgorithm::AES128]))
        .and_then(|builder| builder.set_preferred_hash_algorithms(vec![HashAlgorithm::SHA1]))
        .and_then(|builder| builder.set_features(Features::empty().set_seipdv1()))
        .and_then(|builder| name.userid().bind(&mut *keys::primary(cert), cert, builder))
        .unwrap();
    cert.clone().insert_packets([Packet::from(name.userid().clone()), asked.into()]).unwrap().0
}

#[test]
fn what_a_host_prefers_weakens_nothing_that_is_sent_to_it() {
    let server = Server::new();
    let mut newcomer = server.newcomer();
    server.clock.turn(1);
    newcomer.cert = asking_for_less(&newcomer.cert, server.clock_now());
    let host = newcomer.enrol(Some(&server.made.token.token));
    let message = host.message(&CheckIn {
        server_certificate: None,
        counter: 1,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    });
    let sealed = host.seal(&message);
    let answer = host.send(&sealed);
    assert_eq!(answer.status, 200);
    // Opened as every reply is: under AES-256, signed with SHA-256 at least, or not at all.
    let decryptors = certificate::decryptors_of(&host.cert, server.clock_now()).unwrap();
    let me = Pinned::of(&host.cert, server.clock_now()).unwrap();
    let opening =
        Opening { me: &me, decryptors: &decryptors, keyring: &host.server, now: server.clock_now() };
    let _opened = open(&answer.body, opening).unwrap();
    // It asked for the older form, which it is sent; what it sends itself is still refused in it.
    let packets = openpgp::PacketPile::from_bytes(&answer.body).unwrap();
    assert!(
        packets
            .children()
            .any(|packet| packet.tag() == openpgp::packet::Tag::SEIP && packet.version() == Some(1))
    );
    let again = CheckIn {
        server_certificate: None,
        counter: 2,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    };
    let literal = host.message(&again).to_bytes().unwrap();
    let honest = Forgery::honest(&literal, host.session_signer(), &host.server, server.clock_now());
    let forged = Forgery { seipdv1: true, ..honest };
    assert_eq!(host.carrier.carry(&forged.seal()).unwrap().status, 400);
    assert!(server.newest(EntryKind::Refusal).reason.contains("suite"));
}
