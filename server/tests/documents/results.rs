//! Results: served once (W17).

use countersign_protocol::binary::Binary;
use countersign_protocol::ids::{Digest, MessageId};
use countersign_protocol::ledger::{Check, EntryKind, Outcome};
use countersign_protocol::limits;
use countersign_protocol::message::JobRequest;
use countersign_protocol::message::result::JobList;
use countersign_protocol::random::SystemRandom;
use serde_json::json;

use super::*;

fn alarms(scene: &Scene) -> usize {
    scene.server.entries().iter().filter(|entry| entry.kind == EntryKind::Alarm).count()
}

fn made(scene: &Scene) -> MessageId {
    let JobAccepted { job, .. } = scene.queue(&scene.ana, "create", "wards/north", &json!({"ward": "North"}));
    job
}

#[test]
fn the_same_fetch_has_the_same_bytes_until_it_is_acknowledged_and_any_other_alarms() {
    let scene = scene();
    let job = made(&scene);
    assert_eq!(scene.fetch(&job).1.standing, JobStanding::Queued);
    scene.work();
    let (fetch, reply) = scene.fetch(&job);
    assert_eq!(reply.standing, JobStanding::Done);
    let again: JobResultReply = scene.host.open(&fetch, &scene.host.send(&fetch)).body().unwrap();
    assert_eq!(again, reply);
    assert_eq!(alarms(&scene), 0);
    // Somebody else who has the host's keys.
    let (_, other) = scene.fetch(&job);
    assert_eq!((other.standing, other.result, other.receipt), (JobStanding::Served, None, None));
    assert_eq!(alarms(&scene), 1);
    let alarm = scene.server.newest(EntryKind::Alarm);
    assert!(alarm.decision == Outcome::Denied && alarm.checks.contains(&Check::failed("result-unserved")));
    // The first one has it still, and says so.
    let again: JobResultReply = scene.host.open(&fetch, &scene.host.send(&fetch)).body().unwrap();
    assert_eq!(again, reply);
    scene.acknowledge(&job, &fetch);
    assert_eq!(scene.host.send(&fetch).status, 400, "its bytes are gone");
    let (_, after) = scene.fetch(&job);
    assert_eq!((after.standing, after.result), (JobStanding::Served, None));
    assert_eq!(alarms(&scene), 2);
    assert_eq!(scene.server.entries().iter().filter(|entry| entry.kind == EntryKind::JobResult).count(), 1);
}

#[test]
fn a_lease_that_is_over_leaves_nothing_for_anybody() {
    let scene = scene();
    let job = made(&scene);
    scene.work();
    let (fetch, reply) = scene.fetch(&job);
    assert_eq!(reply.standing, JobStanding::Done);
    scene.server.clock.turn(limits::RESULT_LEASE - 1);
    assert_eq!(scene.host.send(&fetch).status, 200);
    scene.server.clock.turn(1);
    // Also before anybody tidied up.
    assert_eq!(scene.host.send(&fetch).status, 400);
    scene.core.record_jobs().unwrap();
    assert_eq!(scene.host.send(&fetch).status, 400);
    assert_eq!(scene.fetch(&job).1.standing, JobStanding::Served);
}

#[test]
fn what_nobody_fetched_or_did_in_time_is_told_as_expired() {
    let scene = scene();
    let (undone, unfetched) = {
        let unfetched = made(&scene);
        scene.work();
        let undone = scene.queue(&scene.ana, "update", "wards/north", &json!({"merge": {"beds": 1}}));
        (undone.job, unfetched)
    };
    scene.server.clock.turn(limits::JOB_LIFE);
    scene.work();
    for job in [undone, unfetched] {
        let (_, reply) = scene.fetch(&job);
        assert_eq!((reply.standing, reply.result), (JobStanding::Expired, None));
    }
    let entry = scene.server.entries().into_iter().rfind(|entry| entry.kind == EntryKind::JobDone).unwrap();
    assert!(entry.decision == Outcome::Noted && entry.reason.contains("nothing was changed"));
    assert_eq!(scene.read("north").version, 1);
    // A day later nobody knows of it.
    let store = scene.server.store();
    let tx = store.begin().unwrap();
    tx.forget(scene.server.clock_now().plus(2 * 24 * 3600)).unwrap();
    tx.commit().unwrap();
    assert_eq!(scene.server.intruder().number("SELECT count(*) FROM jobs"), 0);
}

#[test]
fn a_result_goes_to_the_host_that_asked_and_to_nobody_whose_right_ended() {
    let scene = scene();
    let other = scene.server.second_host(&scene.host, &scene.admin);
    let job = made(&scene);
    scene.work();
    let asked: JobResultReply = other.ask(&JobResultRequest { job }).body().unwrap();
    assert_eq!(asked.standing, JobStanding::Unknown);
    assert_eq!(alarms(&scene), 1);
    let unknown = MessageId::new(&SystemRandom).unwrap();
    let asked: JobResultReply = other.ask(&JobResultRequest { job: unknown }).body().unwrap();
    assert_eq!(asked.standing, JobStanding::Unknown);
    // Ana's key is revoked before she has it.
    let key = certificate::fingerprint(&scene.ana.cert).unwrap();
    let revoked = scene.ask(&scene.admin, "revoke", &format!("key/{key}"), &Value::Null);
    assert_eq!(revoked.decision, Decision::Allowed, "{}", revoked.reason);
    let (_, reply) = scene.fetch(&job);
    assert_eq!((reply.standing, reply.result), (JobStanding::Withheld, None));
    assert_eq!(scene.fetch(&job).1.standing, JobStanding::Withheld);
}

#[test]
fn a_request_that_is_sealed_a_second_after_it_was_written_is_done() {
    let scene = scene();
    let body = json!({"ward": "North"}).to_string();
    let mut statement = scene.host.statement(&scene.ana, "create", "wards/north");
    statement.body = Some(Digest::of(body.as_bytes()));
    let request = JobRequest { signed: scene.ana.sign(&statement), body: Some(Binary(body.into_bytes())) };
    let message = scene.host.message(&request);
    scene.server.clock.turn(1);
    let sealed = scene.host.seal(&message);
    let reply: JobReply = scene.host.open(&sealed, &scene.host.send(&sealed)).body().unwrap();
    scene.work();
    let (_, reply) = scene.fetch(&reply.job.unwrap().job);
    assert_eq!(reply.standing, JobStanding::Done, "{}", reply.reason);
}

#[test]
fn a_request_that_came_twice_is_one_job() {
    let scene = scene();
    let body = json!({"ward": "North"}).to_string();
    let mut statement = scene.host.statement(&scene.ana, "create", "wards/north");
    statement.body = Some(Digest::of(body.as_bytes()));
    let request = JobRequest { signed: scene.ana.sign(&statement), body: Some(Binary(body.into_bytes())) };
    let sealed = scene.host.seal(&scene.host.message(&request));
    let reply: JobReply = scene.host.open(&sealed, &scene.host.send(&sealed)).body().unwrap();
    scene.work();
    let again: JobReply = scene.host.open(&sealed, &scene.host.send(&sealed)).body().unwrap();
    assert_eq!(again, reply);
    scene.work();
    let list: JobList = done(scene.ask(&scene.ana, "read", "jobs/own", &Value::Null));
    assert_eq!(list.jobs.len(), 1);
    assert_eq!((list.jobs[0].job, list.jobs[0].standing), (reply.job.unwrap().job, JobStanding::Done));
    // Nobody else sees it.
    let list: JobList = done(scene.ask(&scene.ben, "read", "jobs/own", &Value::Null));
    assert!(list.jobs.is_empty());
}
