//! Versions of a document: which are kept, and whose come first.

use countersign_protocol::limits;
use countersign_protocol::message::result::DocumentShown;
use serde_json::json;

use super::*;

#[test]
fn earlier_versions_are_kept_up_to_a_limit_and_gone_with_their_document() {
    let scene = scene();
    scene.change("create", "north", &json!({"ward": "North", "beds": 1}));
    let last = limits::DOCUMENT_VERSIONS + 3;
    // Many at once, each over the one before: done in the order of their acceptance.
    for first in (2..=last).step_by(50) {
        let jobs: Vec<JobAccepted> = (first..(first + 50).min(last + 1))
            .map(|beds| scene.queue(&scene.ana, "update", "wards/north", &json!({"merge": {"beds": beds}})))
            .collect();
        scene.work();
        for JobAccepted { job, .. } in &jobs {
            let (fetch, reply) = scene.fetch(job);
            assert_eq!(reply.standing, JobStanding::Done, "{}", reply.reason);
            scene.acknowledge(job, &fetch);
        }
    }
    let version = |version: u64| scene.run(&scene.ana, "read", "wards/north", &json!({"version": version}));
    for there in [last, last - 1, last - limits::DOCUMENT_VERSIONS + 1] {
        let shown: DocumentShown = opened(&scene.ana, &version(there));
        assert_eq!(shown.document.unwrap()["beds"], json!(there));
    }
    assert_eq!(version(last - limits::DOCUMENT_VERSIONS).standing, JobStanding::Failed);
    scene.change("delete", "north", &Value::Null);
    scene.change("create", "north", &json!({"ward": "North"}));
    assert_eq!(version(last).standing, JobStanding::Failed);
    let left = scene.server.everything_stored();
    assert!(!left.windows(8).any(|bytes| bytes == b"\"beds\":9"), "what was deleted is there still");
}

#[test]
fn of_two_who_saw_the_same_version_one_changes_it() {
    let scene = scene();
    scene.change("create", "north", &json!({"ward": "North", "beds": 1}));
    let body = |beds: u64| json!({"merge": {"beds": beds}, "over": 1});
    let jobs = [2, 3].map(|beds| scene.queue(&scene.ana, "update", "wards/north", &body(beds)));
    scene.work();
    let standings = jobs.map(|job| scene.fetch(&job.job).1.standing);
    assert_eq!(standings, [JobStanding::Done, JobStanding::Failed]);
    assert_eq!(scene.read("north").document.unwrap()["beds"], json!(2));
}
