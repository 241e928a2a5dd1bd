//! A host's key changes: the old one and the new one both say so, once.

use countersign_protocol::certificate;
use countersign_protocol::envelope;
use countersign_protocol::ledger::{EntryKind, ExportWriter, Trust, check_receipt, verify_export};
use countersign_protocol::message::result::{InstanceChanged, InstanceList, LedgerPage};
use countersign_protocol::message::{CheckIn, Decision, InstanceState, RotationRecord};

use crate::client::host::Host;
use crate::client::{keys, refusal};
use crate::fixture::Server;

#[test]
fn a_rotated_host_works_under_its_new_name_and_the_old_key_is_nobodys() {
    let server = Server::new();
    let (mut old, admin, ana) = server.with_ana();
    let before = old.log_in(&ana, "ana");
    old.check_in(5, 0, &[]);
    let (new, record) = old.rotate();
    let entry = server.newest(EntryKind::Rotation);
    assert_eq!(entry.instance.as_ref(), Some(&new.fingerprint()));
    assert_eq!(entry.detail["retired"], old.fingerprint().to_string());
    assert_eq!(record.application, old.record.application);

    // The new one: active at once, it counts on, and people log in.
    let reply = new.check_in(7, 0, &["ana"]);
    assert_eq!((reply.state, reply.forked), (InstanceState::Active, false));
    assert_eq!(new.roster(&reply).roster().entries.len(), 1);
    assert_eq!(new.log_in(&ana, "ana").decision, Decision::Allowed);
    assert_eq!(new.job(&admin, "create", "enrolment-token/x", None).decision, Decision::Allowed);

    // The old one: neither session key, nor primary key, nor another rotation, nor an enrolment.
    let sealed = old.seal(&old.message(&CheckIn {
        server_certificate: None,
        counter: 8,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    }));
    refusal(&old.send(&sealed), &old.server, &sealed);
    assert!(server.newest(EntryKind::Refusal).reason.contains("(revoked)"));
    assert_eq!(old.key_update(Some(3600)).status, 400);
    let list: InstanceList = serde_json::from_value(
        new.job(&admin, "read", &format!("instance/{}", old.fingerprint()), None).result.unwrap(),
    )
    .unwrap();
    assert_eq!(list.instances[0].state, InstanceState::Revoked);
    assert_eq!(list.instances[0].successor, Some(new.fingerprint()));
    // Nothing is done to a name that nobody bears any more: the one to name is said, through any number of changes.
    let (newest, _) = new.rotate();
    let name = format!("instance/{}", old.fingerprint());
    let desk = server.second_host(&newest, &admin);
    for operation in ["suspend", "resume", "revoke"] {
        let reply = desk.job(&admin, operation, &name, None);
        assert_eq!(reply.decision, Decision::Denied);
        let says = format!("countersign admin host {operation} {}", newest.fingerprint());
        assert!(reply.reason.contains(&says), "{}", reply.reason);
    }
    assert_eq!(newest.log_in(&ana, "ana").decision, Decision::Allowed);
    let gone = desk.job(&admin, "revoke", &format!("instance/{}", newest.fingerprint()), None);
    assert_eq!(gone.decision, Decision::Allowed, "{}", gone.reason);
    let gone = desk.job(&admin, "revoke", &name, None).result.unwrap();
    assert!(!serde_json::from_value::<InstanceChanged>(gone).unwrap().changed);
    let mut thief = server.newcomer();
    thief.cert = old.cert.clone();
    let hello = thief.hello();
    let greeted = thief.greeted(&hello, &thief.carrier.carry(hello.bytes()).unwrap().body).unwrap();
    let sealed = thief.instance_key(&greeted, None);
    refusal(&thief.carrier.carry(sealed.bytes()).unwrap(), &thief.server, &sealed);
    assert!(server.newest(EntryKind::Alarm).reason.contains("belonged to another identity"));

    // What was proven before stays proven.
    let proven = check_receipt(&before.receipt, &new.ledger_key).unwrap();
    assert_eq!(proven.entry().instance.as_ref(), Some(&old.fingerprint()));
    let page = desk.job(&admin, "read", "ledger/entries", Some(br#"{"from":0}"#)).result.unwrap();
    let page: LedgerPage = serde_json::from_value(page).unwrap();
    let export = ExportWriter::begin(Vec::new(), &page).unwrap().finish().unwrap();
    assert!(verify_export(export.as_slice(), &Trust::default()).unwrap().statements >= 5);
}

#[test]
fn the_answer_to_a_rotation_is_the_same_when_it_is_asked_for_again() {
    let server = Server::new();
    let (old, _admin, _ana) = server.with_ana();
    let (cert, session_key) = keys::newcomer(server.clock_now());
    let request = old.rotation_request(&cert);
    let begun = old.rotation_begun(&request, &old.send(&request));
    let sealed = old.rotation_key(&cert, &begun);
    let new = Host { cert, session_key, ..old.copy() };
    let first = new.open(&sealed, &old.send(&sealed));
    let entries = server.entries().len();
    let again = new.open(&sealed, &server.another_door().carry(sealed.bytes()).unwrap());
    assert_eq!(first.literal(), again.literal());
    assert_eq!(server.entries().len(), entries);
    let record: RotationRecord = again.body().unwrap();
    assert_eq!(record.instance, new.fingerprint());
}

#[test]
fn a_rotation_needs_the_old_key_the_new_key_and_the_key_that_was_committed_to() {
    let server = Server::new();
    let (host, _admin, _ana) = server.with_ana();
    let (new, _) = keys::newcomer(server.clock_now());
    let begin = |host: &Host| {
        let request = host.rotation_request(&new);
        host.rotation_begun(&request, &host.send(&request))
    };
    let refused = |sealed: &envelope::Sealed, why: &str| {
        refusal(&host.send(sealed), &host.server, sealed);
        let reason = server.entries().pop().unwrap().reason;
        assert!(reason.contains(why), "{reason}");
    };
    let again = |message: &countersign_protocol::message::Message, signers| {
        envelope::seal(message, signers, &host.server, server.clock_now()).unwrap()
    };
    let message = |sealed: &envelope::Sealed| {
        let id = countersign_protocol::ids::MessageId::new(&countersign_protocol::random::SystemRandom);
        let mut message = countersign_protocol::message::Message::from_bytes(sealed.literal()).unwrap();
        message.id = id.unwrap();
        message
    };

    // Only the new one; only the old one; the session key in the old one's place; the application in its place.
    let honest = host.rotation_key(&new, &begin(&host));
    refused(&again(&message(&honest), vec![keys::primary(&new)]), "is not enrolled");
    refused(&again(&message(&honest), vec![keys::primary(&host.cert)]), "not permitted");
    refused(
        &again(&message(&honest), vec![host.session_signer(), keys::primary(&new)]),
        "another key than the one announced",
    );
    let application = server.newcomer().application;
    refused(
        &again(&message(&honest), vec![keys::primary(&application), keys::primary(&new)]),
        "not permitted",
    );
    // Another key than the one committed to.
    let (swapped, _) = keys::newcomer(server.clock_now());
    refused(&host.rotation_key(&swapped, &begin(&host)), "not the one committed to");
    // A nonce or a chain of another rotation.
    let (stale, fresh) = (begin(&host), begin(&host));
    refused(&host.rotation_key(&new, &stale), "used or has expired");
    refused(&host.rotation_key(&new, &(fresh.0, stale.1)), "server nonce");
    let late = begin(&host);
    server.clock.turn(301);
    refused(&host.rotation_key(&new, &late), "used or has expired");
    // Honest, once.
    let begun = begin(&host);
    let sealed = host.rotation_key(&new, &begun);
    assert_eq!(host.send(&sealed).status, 200);
    refused(&host.rotation_key(&new, &begun), "signers are not");
}

#[test]
fn a_key_that_was_anybodys_before_names_no_host() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let other = server.second_host(&host, &admin);
    for taken in [other.cert.clone(), ana.cert.clone(), server.newcomer().application] {
        let request = host.rotation_request(&taken);
        let begun = host.rotation_begun(&request, &host.send(&request));
        let sealed = host.rotation_key(&taken, &begun);
        refusal(&host.send(&sealed), &host.server, &sealed);
    }
    assert!(server.entries().iter().all(|entry| entry.kind != EntryKind::Rotation));
}

#[test]
fn a_forked_suspended_or_waiting_host_may_not_rotate() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let other = server.second_host(&host, &admin);
    let (new, _) = keys::newcomer(server.clock_now());
    let waiting = server.newcomer().enrol(None);
    let request = waiting.rotation_request(&new);
    refusal(&waiting.send(&request), &waiting.server, &request);

    // Barred or forked between the two messages, or before the first.
    let name = format!("instance/{}", other.fingerprint());
    let request = other.rotation_request(&new);
    let begun = other.rotation_begun(&request, &other.send(&request));
    let barred = host.job(&admin, "suspend", &name, None).result.unwrap();
    assert!(serde_json::from_value::<InstanceChanged>(barred).unwrap().changed);
    let sealed = other.rotation_key(&new, &begun);
    refusal(&other.send(&sealed), &other.server, &sealed);
    let request = other.rotation_request(&new);
    refusal(&other.send(&request), &other.server, &request);
    host.job(&admin, "resume", &name, None);

    let request = other.rotation_request(&new);
    let begun = other.rotation_begun(&request, &other.send(&request));
    other.check_in(9, 0, &[]);
    server.clock.turn(1);
    other.check_in(9, 0, &[]);
    let sealed = other.rotation_key(&new, &begun);
    refusal(&other.send(&sealed), &other.server, &sealed);
    assert!(server.newest(EntryKind::Refusal).reason.contains("seen twice"));
    let request = other.rotation_request(&new);
    refusal(&other.send(&request), &other.server, &request);
    assert_eq!(certificate::fingerprint(&other.cert).unwrap(), other.fingerprint());
}

#[test]
fn a_copy_that_is_behind_cannot_rotate() {
    let server = Server::new();
    let (host, _admin, _ana) = server.with_ana();
    let copy = host.copy();
    host.check_in(5, 0, &[]);
    let (new, _) = keys::newcomer(server.clock_now());
    let request = copy.rotation_request(&new);
    let begun = copy.rotation_begun(&request, &copy.send(&request));
    let sealed = copy.rotation_key(&new, &begun);
    refusal(&copy.send(&sealed), &copy.server, &sealed);
    assert_eq!(host.check_in(6, 0, &[]).state, InstanceState::Active);
}

#[test]
fn a_copy_that_rotates_first_is_found_out_by_the_true_hosts_next_words() {
    let server = Server::new();
    let (mut host, _admin, _ana) = server.with_ana();
    host.check_in(5, 0, &[]);
    // Made before, and held up on the way: no alarm.
    let late = host.key_update_sealed(6, Some(3600)).2;
    server.clock.turn(1);
    let mut copy = host.copy();
    assert_eq!(copy.key_update_counted(1_000_000, Some(3600)).status, 200);
    copy.counter.store(1_000_000, std::sync::atomic::Ordering::SeqCst);
    let (thief, _) = copy.rotate();
    let alarms = || {
        let entries = server.entries().into_iter();
        entries.filter(|entry| entry.kind == EntryKind::Alarm).map(|entry| entry.reason).collect::<Vec<_>>()
    };
    refusal(&host.send(&late), &host.server, &late);
    assert_eq!(alarms(), [""; 0]);
    for _ in 0..3 {
        server.clock.turn(300);
        assert_eq!(host.key_update(Some(3600)).status, 400);
    }
    let raised = alarms();
    let [alarm] = raised.as_slice() else { panic!("{raised:?}") };
    assert!(alarm.contains(&host.fingerprint().to_string()), "{alarm}");
    assert!(alarm.contains(&format!("countersign admin host revoke {}", thief.fingerprint())), "{alarm}");
    server.clock.turn(3600);
    assert_eq!(host.key_update(Some(3600)).status, 400);
    assert_eq!(alarms().len(), 2, "once an hour");
}
