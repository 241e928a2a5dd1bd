//! Somebody who writes into the database, or whose right ended, has nothing done (W18).

use countersign_protocol::ledger::{EntryKind, Outcome};
use serde_json::json;

use super::*;

/// Why a job was not done that waited while `meanwhile` happened.
fn not_done(scene: &Scene, meanwhile: impl FnOnce(&MessageId)) -> String {
    let JobAccepted { job, .. } = scene.queue(&scene.ana, "create", "wards/north", &json!({"ward": "North"}));
    meanwhile(&job);
    scene.work();
    let entry = scene.server.entries().into_iter().rfind(|entry| entry.kind == EntryKind::JobDone).unwrap();
    assert_eq!((entry.decision, &entry.detail["job"]), (Outcome::Denied, &job.to_string()));
    let documents = scene.server.intruder().number("SELECT count(*) FROM documents");
    assert_eq!(documents, 0);
    entry.reason
}

#[test]
fn w18_a_job_that_somebody_edited_in_the_database_is_not_done() {
    for (edit, why) in [
        ("resource = 'wards/south'", "it is not what was signed"),
        ("operation = 'delete'", "it is not what was signed"),
        ("account = 'clinic'", "the key that asked for it is not active"),
        ("accepted_at = accepted_at - 1", "the ledger does not say that it was accepted"),
        ("correlation = '7K3M-Q2ZD'", "the ledger does not say that it was accepted"),
        ("signature = x'00'", "the instance's signature is not good"),
        ("receipt = replace(receipt, '\"index\":', '\"index\":1')", "is not in the ledger"),
    ] {
        let scene = scene();
        let said = not_done(&scene, |_| scene.server.intruder().edit(&format!("UPDATE jobs SET {edit}")));
        assert!(said.contains("It was not done") && said.contains(why), "{edit}: {said}");
    }
}

#[test]
fn w18_a_body_that_nobody_signed_is_not_done() {
    let scene = scene();
    let said = not_done(&scene, |_| {
        // Of another job of hers, with all its proofs but the ledger's.
        let other = scene.queue(&scene.ana, "create", "wards/other", &json!({"ward": "Other"})).job;
        scene.server.intruder().edit(&format!(
            "UPDATE jobs SET message = (SELECT message FROM jobs WHERE id = x'{other}'),
                             signature = (SELECT signature FROM jobs WHERE id = x'{other}') WHERE id <> x'{other}';
             DELETE FROM jobs WHERE id = x'{other}'"
        ));
    });
    assert!(said.contains("it is not what was signed"), "{said}");
}

#[test]
fn w18_what_a_denied_request_asked_is_not_done_whoever_queues_it() {
    let scene = scene();
    let said = not_done(&scene, |_| {
        // Ben's statement and his denial, in the place of Ana's.
        scene.server.intruder().edit("UPDATE jobs SET account = 'ben'");
    });
    assert!(said.contains("the key that asked for it is not active"), "{said}");
}

#[test]
fn w18_a_right_that_ended_while_a_job_waited_has_it_not_done() {
    let scene = scene();
    let key = certificate::fingerprint(&scene.ana.cert).unwrap();
    let said = not_done(&scene, |_| {
        let revoked = scene.ask(&scene.admin, "revoke", &format!("key/{key}"), &Value::Null);
        assert_eq!(revoked.decision, Decision::Allowed, "{}", revoked.reason);
    });
    assert!(said.contains("the key that asked for it is not active"), "{said}");

    let scene = self::scene();
    let said = not_done(&scene, |_| {
        let suspended = scene.ask(&scene.admin, "suspend", "account/ana", &Value::Null);
        assert_eq!(suspended.decision, Decision::Allowed, "{}", suspended.reason);
    });
    assert!(said.contains("not active"), "{said}");

    let scene = self::scene();
    let said = not_done(&scene, |_| scene.server.revoke(&scene.host.fingerprint()));
    assert!(said.contains("the host that it came from is not active"), "{said}");
}
