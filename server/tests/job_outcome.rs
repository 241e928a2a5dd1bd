//! Requests whose answer was lost: nothing stays unknown, and nothing happens behind anybody's back.

use countersign_protocol::certificate;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::Sealed;
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{EntryKind, check_receipt};
use countersign_protocol::limits;
use countersign_protocol::message::{
    Decision, InstanceState, JobOutcome, JobOutcomeReply, JobReply, JobRequest,
};

use crate::client::host::Host;
use crate::client::person::Person;
use crate::fixture::Server;

/// A login that is sealed and not sent.
pub(crate) fn login(host: &Host, person: &Person, login: &str) -> Sealed {
    let mut statement = host.statement(person, "open-session", &format!("session/{}", host.fingerprint()));
    statement.login = Some(login.parse().unwrap());
    statement.service = Some("sshd".parse().unwrap());
    host.seal(&host.message(&JobRequest { signed: person.sign(&statement), body: None }))
}

pub(crate) fn about(sealed: &Sealed) -> JobOutcome {
    let message = countersign_protocol::message::Message::from_bytes(sealed.literal()).unwrap();
    let asked = sealed.in_reply_to();
    JobOutcome { id: asked.id, digest: asked.digest, time: message.time }
}

fn outcome(host: &Host, sealed: &Sealed) -> JobOutcomeReply {
    host.ask(&about(sealed)).body().unwrap()
}

fn is_refused_as_a_replay(server: &Server, host: &Host, sealed: &Sealed) {
    assert_eq!(host.send(sealed).status, 400);
    let reason = server.newest(EntryKind::Refusal).reason;
    assert!(reason.contains("replay"), "{reason}");
}

#[test]
fn a_request_whose_answer_was_lost_is_told_as_it_was_answered_and_without_its_result() {
    let server = Server::new();
    let (mut host, admin, _ana) = server.with_ana();
    let body = br#"{"logins":["bob"],"roles":["user"]}"#;
    let mut statement = host.statement(&admin, "create", "account/bob");
    statement.body = Some(Digest::of(body));
    let body = Some(countersign_protocol::binary::Binary(body.to_vec()));
    let sealed = host.seal(&host.message(&JobRequest { signed: admin.sign(&statement), body }));
    let first: JobReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
    assert!(first.result.is_some());
    let before = server.entries().len();
    // The host was started again meanwhile: other session keys.
    assert_eq!(host.key_update(Some(3600)).status, 200);
    for _ in 0..2 {
        let JobOutcomeReply::Answered { reply } = outcome(&host, &sealed) else { panic!("not answered") };
        assert_eq!(*reply, JobReply { result: None, ..first.clone() });
    }
    assert_eq!(server.entries().len(), before + 1, "the key update, and nothing twice");
}

#[test]
fn a_request_that_never_came_is_refused_from_then_on() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let sealed = login(&host, &ana, "ana");
    let mut places = Vec::new();
    for _ in 0..3 {
        let JobOutcomeReply::NeverHappened { receipt } = outcome(&host, &sealed) else {
            panic!("it happened")
        };
        let proven = check_receipt(&receipt, &host.ledger_key).unwrap();
        assert_eq!(proven.entry().kind, EntryKind::NeverHappened);
        assert_eq!(proven.entry().detail["request"], sealed.id().to_string());
        assert_eq!(proven.entry().detail["request-digest"], sealed.in_reply_to().digest.to_string());
        assert_eq!(proven.entry().instance, Some(host.fingerprint()));
        places.push(proven.index());
    }
    // However often it is asked about: one entry.
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
    let never = server.entries().iter().filter(|entry| entry.kind == EntryKind::NeverHappened).count();
    assert_eq!(never, 1);
    is_refused_as_a_replay(&server, &host, &sealed);
    let jobs = server.entries().iter().filter(|entry| entry.login.is_some()).count();
    assert_eq!(jobs, 0);
    // Another one of the same person is not touched by it.
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
}

#[test]
fn a_request_and_the_question_about_it_at_once_are_decided_one_way() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let (mut answered, mut never) = (0, 0);
    for _ in 0..24 {
        let sealed = login(&host, &ana, "ana");
        let question = host.seal(&host.message(&about(&sealed)));
        let (one, other) = (server.another_door(), server.another_door());
        let (sent, told) = std::thread::scope(|scope| {
            let sent = scope.spawn(|| one.carry(sealed.bytes()).unwrap());
            let told = scope.spawn(|| other.carry(question.bytes()).unwrap());
            (sent.join().unwrap(), told.join().unwrap())
        });
        match host.open(&question, &told).body().unwrap() {
            JobOutcomeReply::Answered { reply } => {
                let first: JobReply = host.open(&sealed, &sent).body().unwrap();
                assert_eq!(*reply, first);
                answered += 1;
            }
            JobOutcomeReply::NeverHappened { .. } => {
                assert_eq!(sent.status, 400);
                never += 1;
            }
            JobOutcomeReply::Forgotten {} => panic!("forgotten at once"),
        }
    }
    let jobs = server.entries().iter().filter(|entry| entry.login.is_some()).count();
    assert_eq!((jobs, answered + never), (answered, 24));
}

#[test]
fn what_was_forgotten_is_found_in_the_ledger_or_said_to_be_forgotten() {
    let server = Server::new();
    let (mut host, _admin, ana) = server.with_ana();
    let (sent, lost) = (login(&host, &ana, "ana"), login(&host, &ana, "ana"));
    let first: JobReply = host.open(&sent, &host.send(&sent)).body().unwrap();
    for _ in 0..3 {
        host.log_in(&ana, "ana");
    }
    server.clock.turn(limits::REPLAY_MEMORY + 200);
    let store = server.store();
    let tx = store.begin().unwrap();
    tx.forget(server.clock_now().plus(-limits::REPLAY_MEMORY)).unwrap();
    tx.commit().unwrap();
    assert_eq!(host.key_update(Some(3600)).status, 200);

    let JobOutcomeReply::Answered { reply } = outcome(&host, &sent) else { panic!("not found") };
    assert_eq!((&reply.reason, &reply.correlation), (&first.reason, &first.correlation));
    assert_eq!((reply.receipt.index, &reply.receipt.entry), (first.receipt.index, &first.receipt.entry));
    let proven = check_receipt(&reply.receipt, &host.ledger_key).unwrap();
    assert_eq!(proven.entry().message, Some(sent.id()));

    assert_eq!(outcome(&host, &lost), JobOutcomeReply::Forgotten {});
    assert_eq!(host.send(&lost).status, 400, "too old to happen");
    assert!(server.entries().iter().all(|entry| entry.kind != EntryKind::NeverHappened));
}

#[test]
fn a_request_dated_ahead_stays_refused_for_as_long_as_it_could_come() {
    let server = Server::new();
    let (mut host, _admin, ana) = server.with_ana();
    // The host's clock was two hours ahead, and was set right before it asked.
    server.clock.turn(7200);
    let early = login(&host, &ana, "ana");
    server.clock.turn(-7200);
    assert_eq!(host.send(&early).status, 400);
    assert!(matches!(outcome(&host, &early), JobOutcomeReply::NeverHappened { .. }));

    server.clock.turn(7200);
    let store = server.store();
    let tx = store.begin().unwrap();
    tx.forget(server.clock_now().plus(-limits::REPLAY_MEMORY)).unwrap();
    tx.commit().unwrap();
    assert_eq!(host.key_update(Some(3600)).status, 200);
    let jobs = |server: &Server| server.entries().iter().filter(|entry| entry.login.is_some()).count();
    assert_eq!(host.send(&early).status, 400);
    assert_eq!(jobs(&server), 0);
}

#[test]
fn a_request_dated_far_ahead_burns_nothing() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let sealed = login(&host, &ana, "ana");
    let rows = || {
        let far = server.clock_now().plus(25 * 3600).seconds();
        server.intruder().number(&format!("SELECT count(*) FROM replies WHERE stored_at > {far}"))
    };
    let time = server.clock_now().plus(8000 * 366 * 24 * 3600 / 2);
    let question = host.seal(&host.message(&JobOutcome { time, ..about(&sealed) }));
    assert_eq!(host.send(&question).status, 400);
    assert!(server.newest(EntryKind::Refusal).reason.contains("has not come"));
    assert_eq!(rows(), 0);
    let time = server.clock_now().plus(24 * 3600);
    let question = host.seal(&host.message(&JobOutcome { time, ..about(&sealed) }));
    assert_eq!(host.send(&question).status, 200);
}

#[test]
fn another_hosts_request_can_neither_be_asked_about_nor_burned() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let other = server.second_host(&host, &admin);
    let sealed = login(&host, &ana, "ana");
    let first: JobReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
    let question = other.seal(&other.message(&about(&sealed)));
    assert_eq!(other.send(&question).status, 400);
    assert_eq!(server.newest(EntryKind::Alarm).instance, Some(other.fingerprint()));
    // The same id and other bytes are nobody's request.
    let digest = Digest::of(b"other bytes");
    let question = host.seal(&host.message(&JobOutcome { digest, ..about(&sealed) }));
    assert_eq!(host.send(&question).status, 400);
    let again: JobReply = host.open(&sealed, &host.send(&sealed)).body().unwrap();
    assert_eq!(again, first);
}

#[test]
fn a_host_whose_key_was_rotated_is_told_what_became_of_its_earlier_requests() {
    let server = Server::new();
    let (first, _admin, ana) = server.with_ana();
    let (sent, lost) = (login(&first, &ana, "ana"), login(&first, &ana, "ana"));
    let answer: JobReply = first.open(&sent, &first.send(&sent)).body().unwrap();
    first.check_in(5, 0, &[]);
    let (second, _) = first.rotate();
    second.check_in(7, 0, &[]);
    let (third, _) = second.rotate();
    let JobOutcomeReply::Answered { reply } = outcome(&third, &sent) else { panic!("not answered") };
    assert_eq!(*reply, JobReply { result: None, ..answer });
    let proven = check_receipt(&reply.receipt, &third.ledger_key).unwrap();
    assert_eq!(proven.entry().instance, Some(first.fingerprint()));
    assert!(matches!(outcome(&third, &lost), JobOutcomeReply::NeverHappened { .. }));
    assert!(server.entries().iter().all(|entry| entry.kind != EntryKind::Alarm));

    // The ledger is searched for it under all its names too.
    server.clock.turn(limits::REPLAY_MEMORY + 200);
    let store = server.store();
    let tx = store.begin().unwrap();
    tx.forget(server.clock_now().plus(-limits::REPLAY_MEMORY)).unwrap();
    tx.commit().unwrap();
    let mut third = third;
    assert_eq!(third.key_update(Some(3600)).status, 200);
    assert!(matches!(outcome(&third, &sent), JobOutcomeReply::Answered { .. }));
}

#[test]
fn only_a_job_is_told_and_nothing_else_that_was_answered() {
    let server = Server::new();
    let (host, _admin, _ana) = server.with_ana();
    let check_in = host.seal(&host.message(&countersign_protocol::message::CheckIn {
        server_certificate: None,
        counter: 1,
        ledger_size: 0,
        logins: Vec::new(),
        services: Vec::new(),
        version: None,
    }));
    assert_eq!(host.send(&check_in).status, 200);
    let question = host.seal(&host.message(&about(&check_in)));
    assert_eq!(host.send(&question).status, 400);
    // Nor can a question be about itself.
    let mut message = host.message(&about(&check_in));
    message.body["id"] = message.id.to_string().into();
    assert_eq!(host.send(&host.seal(&message)).status, 400);
}

#[test]
fn a_suspended_host_may_settle_what_it_sent_and_a_waiting_one_has_sent_nothing() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let sealed = login(&host, &ana, "ana");
    let fingerprint = certificate::fingerprint(&host.cert).unwrap();
    let move_to = |from, to| {
        let store = server.store();
        let tx = store.begin().unwrap();
        assert!(tx.move_instance(&fingerprint, from, to, server.clock_now()).unwrap());
        tx.commit().unwrap();
    };
    move_to(InstanceState::Active, InstanceState::Suspended);
    assert!(matches!(outcome(&host, &sealed), JobOutcomeReply::NeverHappened { .. }));
    move_to(InstanceState::Suspended, InstanceState::Pending);
    let question = host.seal(&host.message(&about(&sealed)));
    assert_eq!(host.send(&question).status, 400);
}

#[test]
fn what_is_old_is_deleted_in_pieces_that_nobody_waits_for() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let intruder = server.intruder();
    intruder.edit(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1200)
         INSERT INTO replies (id, digest, ephemeral, sealed, stored_at)
         SELECT CAST('old ' || n AS BYTES), x'00', x'00', x'00', 5 FROM numbers"
            .replace("BYTES", if crate::database::is_postgres() { "BYTEA" } else { "BLOB" })
            .as_str(),
    );
    let old = || intruder.number("SELECT count(*) FROM replies WHERE stored_at = 5");
    let new = intruder.number("SELECT count(*) FROM replies WHERE stored_at > 5");
    let store = server.store();
    for (left, more) in [(700, true), (200, true), (0, false)] {
        let tx = store.begin().unwrap();
        assert_eq!(tx.forget_some(Timestamp::from_seconds(1000)).unwrap(), more);
        tx.commit().unwrap();
        assert_eq!(old(), left);
        // Others come in between.
        assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    }
    assert_eq!(intruder.number("SELECT count(*) FROM replies WHERE stored_at > 5"), new + 3);
}
