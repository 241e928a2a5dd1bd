//! Certificates are judged once in minutes. What that must not change: whoever is barred, revoked, replaced or over is so at once.

use countersign_protocol::ledger::EntryKind;
use countersign_protocol::limits;
use countersign_protocol::message::{Decision, JobRequest};

use crate::client::host::Host;
use crate::client::person::Person;
use crate::fixture::{Server, register};

fn logs_in(host: &Host, ana: &Person) -> bool {
    let body = JobRequest { signed: ana.sign(&host.session(ana, "ana")), body: None };
    let sealed = host.seal(&host.message(&body));
    let answer = host.send(&sealed);
    answer.status == 200 && {
        let reply: countersign_protocol::message::JobReply = host.open(&sealed, &answer).body().unwrap();
        reply.decision == Decision::Allowed
    }
}

#[test]
fn a_person_who_is_suspended_is_so_at_the_next_request_and_no_longer_than_that() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    assert!(logs_in(&host, &ana));
    for _ in 0..2 {
        assert_eq!(host.job(&admin, "suspend", "account/ana", None).decision, Decision::Allowed);
        assert!(!logs_in(&host, &ana));
        assert_eq!(host.job(&admin, "resume", "account/ana", None).decision, Decision::Allowed);
        assert!(logs_in(&host, &ana));
    }
}

#[test]
fn a_key_that_is_revoked_opens_nothing_and_the_one_in_its_place_does_at_once() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    assert!(logs_in(&host, &ana));
    let key = countersign_protocol::certificate::fingerprint(&ana.cert).unwrap();
    assert_eq!(host.job(&admin, "revoke", &format!("key/{key}"), None).decision, Decision::Allowed);
    assert!(!logs_in(&host, &ana));
    assert!(server.newest(EntryKind::Alarm).reason.contains("revoked"));
    let again = Person::new("ana", server.clock_now());
    register(&host, &again, &server.invite(&host, &admin, "ana", &["ana"]).code);
    assert!(logs_in(&host, &again));
    assert!(!logs_in(&host, &ana), "the old one stays revoked");
}

#[test]
fn a_host_that_is_suspended_or_revoked_is_so_at_its_next_message() {
    let server = Server::new();
    let (host, admin, ana) = server.with_ana();
    let other = server.second_host(&host, &admin);
    assert!(logs_in(&other, &ana));
    let resource = format!("instance/{}", other.fingerprint());
    assert_eq!(host.job(&admin, "suspend", &resource, None).decision, Decision::Allowed);
    assert!(!logs_in(&other, &ana));
    assert_eq!(host.job(&admin, "resume", &resource, None).decision, Decision::Allowed);
    assert!(logs_in(&other, &ana));
    assert_eq!(host.job(&admin, "revoke", &resource, None).decision, Decision::Allowed);
    assert!(!logs_in(&other, &ana));
    assert!(logs_in(&host, &ana), "the other one goes on");
}

#[test]
fn a_session_key_that_ends_between_two_looks_of_the_policy_signs_nothing_after_its_end() {
    let server = Server::new();
    let (mut host, _, ana) = server.with_ana();
    let life = 200;
    assert!(i64::try_from(life).unwrap() < limits::PINNED_FOR);
    assert_eq!(host.key_update(Some(life)).status, 200);
    assert!(logs_in(&host, &ana));
    server.clock.turn(199);
    assert!(logs_in(&host, &ana), "a second before its end");
    server.clock.turn(1);
    assert!(!logs_in(&host, &ana));
    assert!(server.newest(EntryKind::Refusal).reason.contains("which is not valid now"));
}

#[test]
fn a_session_key_that_another_one_took_the_place_of_signs_nothing_at_once() {
    let server = Server::new();
    let (mut host, _, ana) = server.with_ana();
    let before = host.copy();
    assert!(logs_in(&host, &ana));
    assert_eq!(host.key_update(Some(8 * 3600)).status, 200);
    assert!(logs_in(&host, &ana));
    assert!(!logs_in(&before, &ana));
}
