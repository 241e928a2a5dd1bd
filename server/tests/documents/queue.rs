//! The queue: limits, calling off, several workers, restarts.

use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::limits;
use countersign_protocol::message::result::JobList;
use serde_json::json;

use super::*;

#[test]
fn a_job_that_waits_is_called_off_by_whose_it_is() {
    let scene = scene();
    let JobAccepted { job, .. } = scene.queue(&scene.ana, "create", "wards/north", &json!({"ward": "North"}));
    denied(&scene.ask(&scene.ben, "cancel", &format!("job/{job}"), &Value::Null), "No policy");
    let list: JobList = done(scene.ask(&scene.ana, "cancel", &format!("job/{job}"), &Value::Null));
    assert_eq!(list.jobs[0].standing, JobStanding::Cancelled);
    scene.work();
    assert_eq!(scene.fetch(&job).1.standing, JobStanding::Cancelled);
    let entry = scene.server.entries().into_iter().rfind(|entry| entry.kind == EntryKind::JobDone).unwrap();
    assert_eq!(entry.decision, Outcome::Noted);
    let why = scene.failure(&scene.ana, "read", "wards/north", &Value::Null);
    assert!(why.contains("There is no document"), "{why}");
    // What is done stays done.
    let JobAccepted { job, .. } = scene.queue(&scene.ana, "create", "wards/north", &json!({"ward": "North"}));
    scene.work();
    denied(
        &scene.ask(&scene.ana, "cancel", &format!("job/{job}"), &Value::Null),
        "can no longer be called off",
    );
}

#[test]
fn one_account_fills_no_queue() {
    let scene = scene();
    for number in 0..limits::JOBS_OF_ONE {
        scene.queue(&scene.ana, "create", &format!("wards/r{number}"), &json!({"ward": "x"}));
    }
    let refused = scene.ask(&scene.ana, "create", "wards/more", &json!({"ward": "x"}));
    denied(&refused, "wait to be done or fetched");
    scene.queue(&scene.clinic, "create", "wards/theirs", &json!({"ward": "x"}));
    scene.work();
    denied(
        &scene.ask(&scene.ana, "create", "wards/more", &json!({"ward": "x"})),
        "wait to be done or fetched",
    );
}

#[test]
fn several_workers_do_each_job_once_and_those_on_one_document_in_their_order() {
    let scene = scene();
    scene.change("create", "shared", &json!({"ward": "x", "beds": 0}));
    let jobs: Vec<JobAccepted> = (1..=60)
        .map(|beds| match beds % 2 {
            0 => scene.queue(&scene.ana, "update", "wards/shared", &json!({"merge": {"beds": beds}})),
            _ => scene.queue(&scene.ana, "create", &format!("wards/r{beds}"), &json!({"ward": "x"})),
        })
        .collect();
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                let api = scene.core.api().unwrap();
                while api.work().unwrap().is_more {}
            });
        }
    });
    scene.work();
    for job in &jobs {
        assert_eq!(scene.fetch(&job.job).1.standing, JobStanding::Done);
    }
    let shown = scene.read("shared");
    assert_eq!((shown.version, shown.document.unwrap()["beds"].clone()), (31, json!(60)));
    let done = scene.server.entries().into_iter().filter(|entry| entry.kind == EntryKind::JobDone).count();
    assert_eq!(done, 62);
}

#[test]
fn what_is_asked_before_the_answer_to_the_last_is_done_over_what_that_made() {
    let scene = scene();
    let ask = |operation: &str, body: Value| scene.queue(&scene.ana, operation, "wards/north", &body).job;
    let jobs = [
        ask("create", json!({"ward": "North", "beds": 1})),
        ask("update", json!({"document": {"ward": "North", "beds": 2}, "over": 1})),
        ask("read", Value::Null),
        ask("update", json!({"merge": {"beds": 3}, "over": 2})),
    ];
    scene.work();
    let [_, _, read, _] = jobs.map(|job| {
        let (_, reply) = scene.fetch(&job);
        assert_eq!(reply.standing, JobStanding::Done, "{}", reply.reason);
        reply
    });
    let shown: DocumentShown = opened(&scene.ana, &read);
    assert_eq!((shown.version, shown.document.unwrap()["beds"].clone()), (2, json!(2)));
    assert_eq!(scene.read("north").version, 3);
}

#[test]
fn a_worker_that_died_with_a_job_in_hand_is_followed_by_another() {
    let scene = scene();
    let JobAccepted { job, .. } = scene.queue(&scene.ana, "create", "wards/north", &json!({"ward": "North"}));
    // It claimed the job, and nothing more was heard of it.
    let store = scene.server.store();
    let tx = store.begin().unwrap();
    let now = scene.server.clock_now();
    let claim = countersign_server_core::queue::Claim { worker: job, now, until: now.plus(20) };
    assert_eq!(tx.claim_jobs(&claim, 5).unwrap().len(), 1);
    tx.commit().unwrap();
    scene.work();
    assert_eq!(scene.fetch(&job).1.standing, JobStanding::Queued);
    scene.server.clock.turn(20);
    scene.work();
    assert_eq!(scene.fetch(&job).1.standing, JobStanding::Done);
}

#[test]
fn a_dry_run_queues_nothing() {
    let scene = scene();
    let mut statement = scene.host.statement(&scene.ana, "create", "wards/north");
    let body = json!({"ward": "North"}).to_string();
    statement.dry_run = true;
    statement.body = Some(Digest::of(body.as_bytes()));
    let reply = scene.host.request(&scene.ana, &statement, Some(body.as_bytes()));
    assert_eq!((reply.dry_run, reply.job), (Some(Decision::Allowed), None));
    let list: JobList = done(scene.ask(&scene.ana, "read", "jobs/own", &Value::Null));
    assert!(list.jobs.is_empty());
}

/// What one person sends keeps nobody else's request from being done, written down and answered.
#[test]
fn a_request_with_outlandish_names_and_numbers_holds_up_no_other() {
    let scene = scene();
    let free =
        scene.server.person(&scene.host, &scene.admin, "free", &[countersign_protocol::ids::Role::Resource]);
    let schema = json!({"additionalProperties": {"type": "string"}}).to_string();
    let strict = json!({"additionalProperties": false}).to_string();
    for (name, schema) in [("maps", schema), ("empty", strict)] {
        let made = scene.ask(&free, "create", &format!("collection/{name}"), &json!({"schema": schema}));
        assert_eq!(made.decision, Decision::Allowed, "{}", made.reason);
    }
    let long = json!({"x".repeat(20_000): 1});
    let outlandish = [
        scene.queue(&free, "create", "maps/long", &long),
        scene.queue(&free, "create", "empty/nul", &json!({"a\u{0}b\u{1b}[2J": 1})),
        scene.queue(&free, "create", "empty/more", &json!({"x".repeat(20_000): {"\u{0}": 1}})),
        scene.queue(&free, "read", "maps/long", &json!({"version": u64::MAX})),
    ];
    let honest = scene.queue(&scene.ana, "create", "wards/north", &json!({"ward": "North"}));
    scene.work();
    assert_eq!(scene.fetch(&honest.job).1.standing, JobStanding::Done);
    for JobAccepted { job, .. } in outlandish {
        let (_, reply) = scene.fetch(&job);
        assert_eq!(reply.standing, JobStanding::Failed, "{}", reply.reason);
        assert!(reply.reason.chars().all(|c| !c.is_control()) && reply.reason.len() < 4000);
    }
    scene.change("create", "south", &json!({"ward": "South"}));
    // Deep ones are refused, as nobody could read them.
    let mut deep = json!(1);
    for _ in 0..101 {
        deep = json!([deep]);
    }
    let mine = scene.run(&free, "create", "maps/deep", &json!({"a": deep}));
    assert!(mine.reason.contains("levels deep") || mine.reason.contains("is not of type"), "{}", mine.reason);
}

/// A result that nobody acknowledged is over at the end of its lease, also where its hour ended before.
#[test]
fn a_lease_that_outlives_its_job_keeps_nobody_busy() {
    let scene = scene();
    let JobAccepted { job, .. } = scene.queue(&scene.ana, "create", "wards/north", &json!({"ward": "North"}));
    scene.work();
    scene.server.clock.turn(limits::JOB_LIFE - 10);
    assert_eq!(scene.fetch(&job).1.standing, JobStanding::Done);
    scene.server.clock.turn(15);
    scene.core.record_jobs().unwrap();
    scene.server.clock.turn(limits::RESULT_LEASE);
    scene.core.record_jobs().unwrap();
    assert_eq!(scene.server.intruder().number("SELECT count(*) FROM jobs WHERE standing = 'served'"), 1);
}
