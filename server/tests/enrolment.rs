//! From a stranger to an instance, and the ways that are closed.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::envelope::Sealed;
use countersign_protocol::ids::Nonce;
use countersign_protocol::ledger::{EntryKind, check_consistency, check_receipt};
use countersign_protocol::limits;
use countersign_protocol::message::{
    CheckIn, Decision, Hello, HostEvent, HostEventKind, HostEventReply, InstanceState, JobRequest, Message,
    RegistrationRequest,
};
use countersign_protocol::random::SystemRandom;

use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::packet::signature::SignatureBuilder;
use openpgp::types::{KeyFlags, SignatureType};

use countersign_server::doors::openpgp::Heard;

use crate::client::host::Host;
use crate::client::keys;
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::client::refusal;
use crate::fixture::{Server, register};

#[test]
fn a_host_enrols_and_a_person_logs_in_and_the_ledger_has_it() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    assert_eq!(host.record.state, InstanceState::Active);
    let reply = host.log_in(&ana, "ana");
    assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    let entry = check_receipt(&reply.receipt, &host.ledger_key).unwrap();
    assert_eq!(entry.entry().login, Some("ana".parse().unwrap()));
    assert_eq!(entry.entry().correlation, reply.correlation);
    let kinds: Vec<EntryKind> = server.entries().iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds.first(), Some(&EntryKind::Bootstrap));
    assert_eq!(kinds.last(), Some(&EntryKind::Job));
    assert!(!kinds.contains(&EntryKind::Refusal) && !kinds.contains(&EntryKind::Alarm));
}

#[test]
fn key_swapped_between_the_two_messages_is_refused() {
    let server = Server::new();
    let honest = server.newcomer();
    let hello = honest.hello();
    let answer = honest.carrier.carry(hello.bytes()).unwrap();
    let greeted = honest.greeted(&hello, &answer.body).unwrap();

    // Whoever has the application's key and saw the reply brings a key of their own.
    let mut thief = server.newcomer();
    thief.ephemeral = honest.ephemeral.clone();
    let swapped = thief.instance_key(&greeted, Some(&server.made.token.token));
    let answer = thief.carrier.carry(swapped.bytes()).unwrap();
    refusal(&answer, &thief.server, &swapped);
    assert!(server.newest(EntryKind::Refusal).reason.contains("not the one committed to"));

    // The handshake of the honest host was not used up by it, nor was the token.
    let sent = honest.instance_key(&greeted, Some(&server.made.token.token));
    let answer = honest.carrier.carry(sent.bytes()).unwrap();
    assert_eq!(honest.enrolled(&greeted, &sent, &answer.body).unwrap().state, InstanceState::Active);
}

#[test]
fn a_key_that_did_not_sign_is_not_enrolled() {
    let server = Server::new();
    let newcomer = server.newcomer();
    let hello = newcomer.hello();
    let answer = newcomer.carrier.carry(hello.bytes()).unwrap();
    let greeted = newcomer.greeted(&hello, &answer.body).unwrap();
    let message = newcomer.message(&newcomer.key_body(&greeted, None)).with_transcript(greeted.transcript);
    let other = server.newcomer();
    for signers in [
        vec![keys::primary(&newcomer.application)],
        vec![keys::primary(&newcomer.cert)],
        vec![keys::primary(&newcomer.application), keys::primary(&other.cert)],
        vec![keys::primary(&newcomer.application), keys::signer(&newcomer.cert, &newcomer.session_key)],
    ] {
        let sealed = newcomer.seal(&message, signers);
        refusal(&newcomer.carrier.carry(sealed.bytes()).unwrap(), &newcomer.server, &sealed);
    }
    assert_eq!(server.entries().iter().filter(|entry| entry.kind == EntryKind::Enrolment).count(), 0);
}

#[test]
fn hello_without_commitment_is_refused() {
    let server = Server::new();
    let newcomer = server.newcomer();
    let body = Hello {
        ephemeral: Binary(certificate::to_bytes(&newcomer.ephemeral).unwrap()),
        commitment: certificate::commitment(&newcomer.cert).unwrap(),
        nonce: Nonce::new(&SystemRandom).unwrap(),
        version: None,
    };
    let mut message = newcomer.message(&body);
    message.body.as_object_mut().unwrap().remove("commitment");
    let sealed = newcomer.seal(&message, vec![keys::primary(&newcomer.application)]);
    refusal(&newcomer.carrier.carry(sealed.bytes()).unwrap(), &newcomer.server, &sealed);
    assert!(server.newest(EntryKind::Refusal).reason.contains("commitment"));
}

#[test]
fn instance_key_replayed_after_revocation_does_not_enrol() {
    let server = Server::new();
    let newcomer = server.newcomer();
    let hello = newcomer.hello();
    let answer = newcomer.carrier.carry(hello.bytes()).unwrap();
    let greeted = newcomer.greeted(&hello, &answer.body).unwrap();
    let recorded = newcomer.instance_key(&greeted, Some(&server.made.token.token));
    assert_eq!(newcomer.carrier.carry(recorded.bytes()).unwrap().status, 200);
    let fingerprint = certificate::fingerprint(&newcomer.cert).unwrap();
    server.revoke(&fingerprint);

    // The recorded bytes, at once; then a whole new handshake with the same key.
    let answer = newcomer.carrier.carry(recorded.bytes()).unwrap();
    refusal(&answer, &newcomer.server, &recorded);
    server.clock.turn(60);
    let again = Newcomer { ephemeral: newcomer.ephemeral.clone(), ..newcomer };

    let answer = again.try_enrol(None).unwrap().err().expect("a revoked key was enrolled again");
    assert_eq!(answer.status, 400);
    assert!(server.newest(EntryKind::Alarm).reason.contains("belongs or belonged"));
    let state = {
        let store = server.store();
        let tx = store.begin().unwrap();
        tx.instance(&fingerprint).unwrap().unwrap().state
    };
    assert_eq!(state, InstanceState::Revoked);
}

#[test]
fn a_recorded_hello_and_key_message_open_nothing_a_second_time() {
    let server = Server::new();
    let newcomer = server.newcomer();
    let hello = newcomer.hello();
    let first = newcomer.carrier.carry(hello.bytes()).unwrap();
    let greeted = newcomer.greeted(&hello, &first.body).unwrap();
    let sent = newcomer.instance_key(&greeted, None);
    assert_eq!(newcomer.carrier.carry(sent.bytes()).unwrap().status, 200);

    // A new hello gets a new nonce and another chain: the old key message does not fit it.
    let hello = newcomer.hello();
    let answer = newcomer.carrier.carry(hello.bytes()).unwrap();
    let fresh = newcomer.greeted(&hello, &answer.body).unwrap();
    let stale = crate::client::newcomer::Greeted { transcript: fresh.transcript, reply: greeted.reply };
    let sealed = newcomer.instance_key(&stale, None);
    refusal(&newcomer.carrier.carry(sealed.bytes()).unwrap(), &newcomer.server, &sealed);
    assert!(server.newest(EntryKind::Refusal).reason.contains("server nonce"));
}

#[test]
fn hello_reply_for_another_hello_is_refused() {
    let server = Server::new();
    let newcomer = server.newcomer();
    let (one, other) = (newcomer.hello(), newcomer.hello());
    let to_one = newcomer.carrier.carry(one.bytes()).unwrap();
    let to_other = newcomer.carrier.carry(other.bytes()).unwrap();
    assert!(newcomer.greeted(&one, &to_other.body).is_err());
    assert!(newcomer.greeted(&other, &to_one.body).is_err());
    assert!(newcomer.greeted(&one, &to_one.body).is_ok());
}

#[test]
fn enrolment_record_of_another_key_is_refused() {
    let server = Server::new();
    let (victim, thief) = (server.newcomer(), server.newcomer());
    let hello = victim.hello();
    let answer = victim.carrier.carry(hello.bytes()).unwrap();
    let greeted = victim.greeted(&hello, &answer.body).unwrap();
    let theirs = thief.hello();
    let answer = thief.carrier.carry(theirs.bytes()).unwrap();
    let theirs = thief.greeted(&theirs, &answer.body).unwrap();

    // The thief's own record, obtained for the thief's own key, cannot be taken for the victim's.
    let sent = thief.instance_key(&theirs, None);
    let answer = thief.carrier.carry(sent.bytes()).unwrap();
    let record =
        crate::client::open_reply(&answer.body, &thief.cert, &thief.server, &sent, server.clock_now())
            .unwrap();
    assert!(thief.own_record(&theirs, &sent, &record).is_ok());
    assert!(victim.own_record(&greeted, &sent, &record).is_err());
    let pending = victim.instance_key(&greeted, None);
    assert!(victim.enrolled(&greeted, &pending, &answer.body).is_err());
}

#[test]
fn application_key_grants_nothing() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    // With the application's key alone: every other message is refused.
    let stranger = server.newcomer();
    let statement = host.statement(&ana, "open-session", &format!("session/{}", host.fingerprint()));
    let job = JobRequest { signed: ana.sign(&statement), body: None };
    let messages: Vec<Message> = vec![
        stranger.message(&CheckIn {
            server_certificate: None,
            counter: 1,
            ledger_size: 0,
            logins: Vec::new(),
            services: Vec::new(),
            version: None,
        }),
        stranger.message(&job),
    ];
    for message in messages {
        let sealed = stranger.seal(&message, vec![keys::primary(&stranger.application)]);
        refusal(&stranger.carrier.carry(sealed.bytes()).unwrap(), &stranger.server, &sealed);
        assert!(server.newest(EntryKind::Refusal).reason.contains("not permitted for the application"));
    }

    // With it one enrols, and waits.
    let waiting = server.newcomer().enrol(None);
    assert_eq!(waiting.record.state, InstanceState::Pending);
    assert_eq!(waiting.check_in(1, 0, &[]).state, InstanceState::Pending);
    let resource = format!("session/{}", waiting.fingerprint());
    let mut statement = waiting.statement(&ana, "open-session", &resource);
    statement.login = Some("ana".parse().unwrap());
    let sealed = waiting.seal(&waiting.message(&JobRequest { signed: ana.sign(&statement), body: None }));
    refusal(&waiting.send(&sealed), &waiting.server, &sealed);
    assert!(server.newest(EntryKind::Refusal).reason.contains("(pending)"));
}

#[test]
fn a_waiting_host_works_once_its_key_words_are_approved() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let waiting = server.newcomer().enrol(None);
    let words = countersign_protocol::key_words::key_words(&waiting.fingerprint());
    let reply = host.job(&ana, "approve", &format!("instance/{words}"), None);
    assert_eq!(reply.decision, Decision::Denied);
    let reply = host.job(&admin, "approve", "instance/lab-3", None);
    assert_eq!(reply.decision, Decision::Denied, "a host name approves nothing");
    let reply = host.job(&admin, "approve", &format!("instance/{words}"), None);
    assert_eq!(reply.decision, Decision::Allowed, "{}", reply.reason);
    assert_eq!(waiting.check_in(1, 0, &[]).state, InstanceState::Active);
    assert_eq!(waiting.log_in(&ana, "ana").decision, Decision::Allowed);
    let reply = host.job(&admin, "approve", &format!("instance/{words}"), None);
    assert_eq!(reply.decision, Decision::Denied, "approved twice");
}

#[test]
fn an_enrolment_token_lets_one_host_in() {
    let server = Server::new();
    let first = server.host();
    let second = server.newcomer().enrol(Some(&server.made.token.token));
    let third = server.newcomer().enrol(Some("0000-0000-0000-0000"));
    assert_eq!(first.record.state, InstanceState::Active);
    assert_eq!(second.record.state, InstanceState::Pending);
    assert_eq!(third.record.state, InstanceState::Pending);
}

#[test]
fn new_session_keys_replace_the_old_and_must_end_within_a_day() {
    let server = Server::new();
    let (mut host, _admin, ana) = server.with_ana();
    let old = (host.cert.clone(), host.session_key.clone());
    assert_eq!(host.key_update(Some(25 * 3600)).status, 400);
    assert!(server.newest(EntryKind::Refusal).reason.contains("24 hours"));
    assert_eq!(host.key_update(None).status, 400);
    server.clock.turn(1);
    assert_eq!(host.key_update(Some(8 * 3600)).status, 200);
    assert_eq!(server.newest(EntryKind::KeyUpdate).detail["signing-key"], host.session_key.to_string());
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);

    let stale = keys::signer(&old.0, &old.1);
    let sealed = host.seal_as(
        &host.message(&CheckIn {
            server_certificate: None,
            counter: 1,
            ledger_size: 0,
            logins: vec![],
            services: vec![],
            version: None,
        }),
        stale,
    );
    refusal(&host.send(&sealed), &host.server, &sealed);
    assert!(server.newest(EntryKind::Refusal).reason.contains("signature"));
}

#[test]
fn a_session_key_cannot_announce_its_own_successor() {
    let server = Server::new();
    let host = server.host();
    let (cert, _) = keys::with_session_key(&host.cert, server.clock_now(), Some(3600));
    let body = countersign_protocol::message::KeyUpdate {
        certificate: Binary(certificate::to_bytes(&cert).unwrap()),
        counter: 1,
    };
    let sealed = host.seal(&host.message(&body));
    refusal(&host.send(&sealed), &host.server, &sealed);
    assert!(server.newest(EntryKind::Refusal).reason.contains("not permitted for the instance"));
}

#[test]
fn a_check_in_names_the_keys_of_each_login_and_continues_the_ledger() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let first = host.check_in(1, 0, &["ana", "bob"]);
    let roster = host.roster(&first);
    let [one, two] = roster.roster().entries.as_slice() else { panic!("{roster:?}") };
    assert_eq!((one.login.as_str(), two.login.as_str(), two.accounts.len()), ("ana", "bob", 0));
    let [account] = one.accounts.as_slice() else { panic!("{one:?}") };
    assert_eq!(account.keys, [certificate::fingerprint(&ana.cert).unwrap()]);
    let part = certificate::signing_part(&ana.cert, &account.keys, server.clock_now());
    assert_eq!(account.certificate.0, part.unwrap());
    let seen = host.ledger_key.checkpoint(&first.checkpoint).unwrap();
    assert_eq!(seen.size(), u64::try_from(server.entries().len()).unwrap());

    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    let second = host.check_in(2, seen.size(), &[]);
    let newest = host.ledger_key.checkpoint(&second.checkpoint).unwrap();
    assert_eq!(newest.size(), seen.size() + 1);
    check_consistency(seen.size(), seen.root(), &newest, &second.consistency).unwrap();
}

#[test]
fn a_cloned_host_alarms_and_loses_administration_but_not_logins() {
    let server = Server::new();
    let (mut host, admin, ana) = server.with_ana();
    host.check_in(5, 0, &[]);
    host.check_in(6, 0, &[]);
    assert!(server.entries().iter().all(|entry| entry.kind != EntryKind::Alarm));
    // The snapshot, started again.
    server.clock.turn(1);
    let reply = host.check_in(6, 0, &["ana"]);
    assert!(reply.forked);
    assert_eq!(host.roster(&reply).roster().entries.len(), 1);
    assert_eq!(server.newest(EntryKind::Alarm).detail["counter-before"], "6");
    let entries = server.entries().len();
    host.check_in(6, 0, &[]);
    assert_eq!(server.entries().len(), entries, "the alarm is raised once");
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    // Nor does a person of the account get another key from here.
    let commitment = certificate::commitment(&ana.cert).unwrap();
    let body = RegistrationRequest { account: ana.account.clone(), commitment, method: None };
    let sealed = host.seal(&host.message(&body));
    refusal(&host.send(&sealed), &host.server, &sealed);
    assert!(server.newest(EntryKind::Refusal).reason.contains("seen twice"));
    let reply = host.job(&admin, "create", "enrolment-token/x", None);
    assert_eq!(reply.decision, Decision::Denied);
    assert!(reply.reason.contains("seen twice"), "{}", reply.reason);
    // It was started again, hours later: its session keys are gone, and logins go on all the same.
    server.clock.turn(9 * 3600);
    assert_eq!(host.key_update(Some(8 * 3600)).status, 200);
    assert!(host.check_in(8, 0, &[]).forked);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    assert_eq!(host.job(&admin, "create", "enrolment-token/x", None).decision, Decision::Denied);
    let (new, _) = keys::newcomer(server.clock_now());
    let request = host.rotation_request(&new);
    refusal(&host.send(&request), &host.server, &request);
}

/// Without a counter that is anybody else's.
fn counted(host: &Host, counter: u64) -> Sealed {
    let (logins, services) = (Vec::new(), Vec::new());
    host.seal(&host.message(&CheckIn {
        server_certificate: None,
        counter,
        ledger_size: 0,
        logins,
        services,
        version: None,
    }))
}

#[test]
fn a_check_in_held_back_and_delivered_late_does_not_fork() {
    let server = Server::new();
    let (mut host, admin, ana) = server.with_ana();
    host.check_in(5, 0, &[]);
    server.clock.turn(10);
    // Kept back on the way. The host gives up, and its next one is answered.
    let late = counted(&host, 6);
    let update = host.key_update_sealed(7, Some(3600)).2;
    server.clock.turn(12);
    assert!(!host.check_in(8, 0, &[]).forked);
    server.clock.turn(90);
    for sealed in [&late, &update] {
        refusal(&host.send(sealed), &host.server, sealed);
        assert!(server.newest(EntryKind::Refusal).reason.contains("held up on the way"));
    }
    assert!(!host.check_in(9, 0, &[]).forked);
    assert_eq!(host.job(&admin, "create", "enrolment-token/x", None).decision, Decision::Allowed);
    // The same across new session keys, and by a host whose clock goes behind.
    let late = host.key_update_sealed(10, Some(3600)).2;
    server.clock.turn(5);
    host.counter.store(10, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(host.key_update(Some(3600)).status, 200);
    refusal(&host.send(&late), &host.server, &late);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    assert!(server.entries().iter().all(|entry| entry.kind != EntryKind::Alarm));
    // A copy speaks later than the host did, and is found out.
    server.clock.turn(1);
    assert!(host.check_in(7, 0, &[]).forked);
}

#[test]
fn a_copy_that_dates_its_words_ahead_cannot_silence_the_true_host_unnoticed() {
    let server = Server::new();
    let (mut host, _admin, ana) = server.with_ana();
    host.check_in(5, 0, &[]);
    let (cert, _) = keys::with_session_key(&host.cert, server.clock_now(), Some(3600));
    let certificate = Binary(certificate::to_bytes(&cert).unwrap());
    let body = countersign_protocol::message::KeyUpdate { certificate, counter: 1_000_000 };
    server.clock.turn(100);
    let sealed = host.seal_as(&host.message(&body), keys::primary(&host.cert));
    server.clock.turn(-100);
    assert_eq!(host.send(&sealed).status, 200);
    // For a minute and a half whatever the true host says is older than that, if it is long on the way.
    for counter in 10..13 {
        server.clock.turn(10);
        let slow = host.key_update_sealed(counter, Some(3600)).2;
        server.clock.turn(5);
        assert_eq!(host.send(&slow).status, 400);
    }
    let alarms = || server.entries().into_iter().filter(|entry| entry.kind == EntryKind::Alarm).count();
    assert!(server.newest(EntryKind::Alarm).reason.contains("dated ahead"));
    assert_eq!(alarms(), 1);
    // What comes at once finds it out.
    assert_eq!(host.key_update(Some(3600)).status, 200);
    assert_eq!(alarms(), 2);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
}

#[test]
fn a_suspended_host_gets_session_keys_and_may_ask_how_it_stands() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let mut other = server.second_host(&host, &admin);
    let name = format!("instance/{}", other.fingerprint());
    assert_eq!(host.job(&admin, "suspend", &name, None).decision, Decision::Allowed);
    server.clock.turn(9 * 3600);
    let mut host = host;
    assert_eq!(host.key_update(Some(8 * 3600)).status, 200);
    assert_eq!(other.key_update(Some(8 * 3600)).status, 200);
    assert_eq!(other.check_in(50, 0, &[]).state, InstanceState::Suspended);
    let sealed = crate::job_outcome::login(&other, &ana, "ana");
    refusal(&other.send(&sealed), &other.server, &sealed);
    assert_eq!(host.job(&admin, "resume", &name, None).decision, Decision::Allowed);
    assert_eq!(other.log_in(&ana, "ana").decision, Decision::Allowed);
}

#[test]
fn a_copy_of_the_primary_key_is_found_out_by_its_first_word_and_both_hosts_let_people_in() {
    let server = Server::new();
    let (mut host, admin, ana) = server.with_ana();
    host.check_in(5, 0, &[]);
    // From a copy of the disk: no session keys, and a counter of some time ago.
    let mut copy = host.copy();
    server.clock.turn(1);
    assert_eq!(copy.key_update_counted(4, Some(3600)).status, 200);
    let entries = server.entries();
    let [.., alarm, keys] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((alarm.kind, alarm.detail["counter"].as_str()), (EntryKind::Alarm, "4"));
    assert!(keys.reason.contains("second host"), "{}", keys.reason);
    for one in [&host, &copy] {
        assert!(one.check_in(7, 0, &["ana"]).forked);
        assert_eq!(one.log_in(&ana, "ana").decision, Decision::Allowed);
        assert_eq!(one.job(&admin, "create", "account/eve", Some(b"{}")).decision, Decision::Denied);
    }
    // Either may be started again, any number of times, and both let people in; the alarm was one.
    for turn in 0..10 {
        server.clock.turn(60);
        assert_eq!(host.key_update(Some(8 * 3600)).status, 200, "{turn}");
        assert_eq!(copy.key_update(Some(8 * 3600)).status, 200, "{turn}");
        for one in [&host, &copy] {
            assert_eq!(one.log_in(&ana, "ana").decision, Decision::Allowed, "{turn}");
        }
    }
    // One that is started twice takes the other's place, which is refused once and takes its own again.
    server.clock.turn(60);
    assert_eq!(host.key_update(Some(3600)).status, 200);
    assert_eq!(host.key_update(Some(3600)).status, 200);
    let sealed = counted(&copy, 500);
    refusal(&copy.send(&sealed), &copy.server, &sealed);
    assert_eq!(copy.key_update(Some(3600)).status, 200);
    for one in [&host, &copy] {
        assert_eq!(one.log_in(&ana, "ana").decision, Decision::Allowed);
        assert_eq!(one.job(&admin, "create", "account/eve", Some(b"{}")).decision, Decision::Denied);
    }
    let alarms = server.entries().iter().filter(|entry| entry.kind == EntryKind::Alarm).count();
    assert_eq!(alarms, 1);
}

#[test]
fn what_a_host_saw_is_in_the_ledger_under_the_id_the_person_was_told() {
    let server = Server::new();
    let host = server.host();
    let event = HostEvent {
        event: HostEventKind::WrongPin,
        at: server.clock_now(),
        correlation: "7K3M-Q2ZD".parse().unwrap(),
        login: Some("ana".parse().unwrap()),
        account: Some("ana".parse().unwrap()),
        service: Some("sudo".parse().unwrap()),
        card: Some("FFFE:0000AAAA".parse().unwrap()),
        told: "Wrong PIN, 2 tries left.".into(),
    };
    let reply: HostEventReply = host.ask(&event).body().unwrap();
    let proven = check_receipt(&reply.receipt, &host.ledger_key).unwrap();
    assert_eq!(proven.entry().correlation, event.correlation);
    assert_eq!(proven.entry().detail["event"], "wrong-pin");
    let text = String::from_utf8(reply.receipt.entry.0).unwrap();
    assert!(!text.contains("0000AAAA"), "a card's number stays out of the log: {text}");
}

#[test]
fn a_handshake_ends_after_five_minutes() {
    let server = Server::new();
    let newcomer = server.newcomer();
    let hello = newcomer.hello();
    let answer = newcomer.carrier.carry(hello.bytes()).unwrap();
    let greeted = newcomer.greeted(&hello, &answer.body).unwrap();
    server.clock.turn(301);
    let sent = newcomer.instance_key(&greeted, Some(&server.made.token.token));
    refusal(&newcomer.carrier.carry(sent.bytes()).unwrap(), &newcomer.server, &sent);
    assert!(server.newest(EntryKind::Refusal).reason.contains("used or has expired"));
}

#[test]
fn a_host_cannot_enrol_a_persons_key_as_its_own() {
    let server = Server::new();
    let (_host, _admin, ana) = server.with_ana();
    let now = server.clock_now();
    let (cert, session_key) = keys::with_session_key(&ana.cert, now, Some(3600));
    let newcomer = Newcomer { cert, session_key, ..server.newcomer() };
    let answer = newcomer.try_enrol(None).unwrap().err().expect("a person's key became a host");
    assert_eq!(answer.status, 400);
    assert!(server.newest(EntryKind::Alarm).reason.contains("another identity"));
}

#[test]
fn the_ledger_says_where_a_hosts_key_lives_and_what_it_calls_itself() {
    let server = Server::new();
    let host = server.host();
    let entry = server.newest(EntryKind::Enrolment);
    assert_eq!(entry.instance, Some(host.fingerprint()));
    assert_eq!(
        (entry.detail["claimed-hostname"].as_str(), entry.detail["key-store"].as_str()),
        ("lab-3", "sealed")
    );
    assert_eq!(entry.detail["transcript"], host.record.transcript.to_string());
}

#[test]
fn a_host_that_takes_a_persons_encryption_key_into_its_certificate_keeps_nobody_out() {
    let server = Server::new();
    let host = server.host();
    let admin = Person::new("admin", server.clock_now());
    // Public keys are public: the thief binds admin's encryption key to its own primary key and enrols first.
    let theirs = admin.cert.keys().subkeys().next().unwrap().key().clone();
    let mut thief = server.newcomer();
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_signature_creation_time(server.clock_now().to_system_time())
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_transport_encryption())
        .unwrap()
        .sign_subkey_binding(&mut *keys::primary(&thief.cert), Some(thief.cert.primary_key().key()), &theirs)
        .unwrap();
    let packets = [Packet::from(theirs), binding.into()];
    thief.cert = thief.cert.insert_packets(packets).unwrap().0;
    let hello = thief.hello();
    let answer = thief.carrier.carry(hello.bytes()).unwrap();
    let greeted = thief.greeted(&hello, &answer.body).unwrap();
    let sent = thief.instance_key(&greeted, None);
    assert_eq!(thief.carrier.carry(sent.bytes()).unwrap().status, 200);
    register(&host, &admin, &server.made.administrator.code);
}

#[test]
fn a_host_that_waits_learns_nobodys_keys() {
    let server = Server::new();
    let (host, admin, _ana) = server.with_ana();
    let waiting = server.newcomer().enrol(None);
    assert_eq!(waiting.entries(1, &["ana"]), []);
    let words = countersign_protocol::key_words::key_words(&waiting.fingerprint());
    host.job(&admin, "approve", &format!("instance/{words}"), None);
    assert_eq!(waiting.entries(2, &["ana"]).len(), 1);
}

#[test]
fn a_login_named_often_is_looked_up_once_and_too_many_are_refused() {
    let server = Server::new();
    let (host, _admin, _ana) = server.with_ana();
    assert_eq!(host.entries(1, &["ana"; 500]).len(), 1);
    let logins = (0..501).map(|n| format!("u{n}").parse().unwrap()).collect();
    let sealed = host.seal(&host.message(&CheckIn {
        server_certificate: None,
        counter: 2,
        ledger_size: 0,
        logins,
        services: Vec::new(),
        version: None,
    }));
    refusal(&host.send(&sealed), &host.server, &sealed);
}

#[test]
fn hosts_that_wait_are_bounded_and_expire_but_tokens_still_work() {
    let server = Server::new();
    let database = server.intruder();
    let (now, most) = (server.clock_now().seconds(), i64::try_from(limits::PENDING_INSTANCES).unwrap());
    let fill = |fingerprint: &str, bytes: &str| {
        format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most})
             INSERT INTO instances (fingerprint, application, certificate, key_words, claimed_hostname, key_place,
                                    state, state_at, enrolled_at)
             SELECT {fingerprint}, 'countersign', {bytes}, 'a-b', 'x', '\"sealed\"', 'pending', {now}, {now} FROM n"
        )
    };
    database.either(
        &fill("printf('%040X', i)", "x'00'"),
        &fill("lpad(upper(to_hex(i)), 40, '0')", "'\\x00'::bytea"),
    );
    assert_eq!(server.newcomer().try_enrol(None).unwrap().err().unwrap().status, 400);
    assert!(server.newest(EntryKind::Refusal).reason.contains("too many"));
    assert_eq!(server.host().record.state, InstanceState::Active);
    server.clock.turn(limits::PENDING_LIFE + 1);
    assert_eq!(server.newcomer().enrol(None).record.state, InstanceState::Pending);
    let waiting = database.number("SELECT count(*) FROM instances WHERE state = 'pending'");
    assert_eq!(waiting, 1);
}

#[test]
fn open_handshakes_are_bounded_and_a_crowd_of_them_keeps_nobody_out() {
    let server = Server::new();
    let database = server.intruder();
    let (most, expires) = (limits::HANDSHAKES, server.clock_now().seconds() + limits::HANDSHAKE_LIFE - 1);
    let fill = |fresh: &str, bytes: &str| {
        format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most})
             INSERT INTO handshakes (transcript, application, commitment, server_nonce, expires)
             SELECT {fresh}, 'countersign', {bytes}, {bytes}, {expires} FROM n"
        )
    };
    database.either(&fill("randomblob(32)", "x'00'"), &fill("sha256(i::text::bytea)", "'\\x00'::bytea"));
    assert_eq!(server.host().record.state, InstanceState::Active);
    let open = database.number("SELECT count(*) FROM handshakes WHERE used_at IS NULL");
    assert_eq!(u64::try_from(open).unwrap(), most - 1, "one made room, and its own is used");
}

#[test]
fn a_large_one_time_certificate_is_refused() {
    let server = Server::new();
    let mut newcomer = server.newcomer();
    let name = "x".repeat(limits::EPHEMERAL_CERTIFICATE);
    newcomer.ephemeral = certificate::generate_software(&name, server.clock_now(), Some(3600)).unwrap();
    let hello = newcomer.hello();
    refusal(&newcomer.carrier.carry(hello.bytes()).unwrap(), &newcomer.server, &hello);
    assert!(server.newest(EntryKind::Refusal).reason.contains("one-time certificate"));
}

#[test]
fn only_a_new_message_of_an_active_host_counts_as_one_of_a_host() {
    let server = Server::new();
    let (host, waiting) = (server.host(), server.newcomer().enrol(None));
    let door = server.openpgp_door();
    let shows = |sealed: &Sealed| matches!(door.hear(sealed.bytes()).unwrap(), Heard::Answered(answer) if answer.shows_a_host());
    let body = CheckIn {
        server_certificate: None,
        counter: 1,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    };
    let sealed = host.seal(&host.message(&body));
    assert!(shows(&sealed));
    assert!(!shows(&sealed), "anyone can send a copy");
    assert!(!shows(&waiting.seal(&waiting.message(&body))));
    assert!(!shows(&server.newcomer().hello()));
}
