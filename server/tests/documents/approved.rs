//! Requests about documents that other people must approve.

use countersign_protocol::ids::{Digest, Role};
use countersign_protocol::ledger::{EntryKind, Outcome, detail};
use countersign_protocol::message::Waiting;
use countersign_protocol::message::result::{AccountChanged, RequestChanged, RequestShown, RequestState};
use countersign_protocol::statement::Statement;
use countersign_server_core::policy::DEFAULT;
use serde_json::json;

use super::*;

/// Whoever changes a document needs somebody of the ward.
fn scene_of_approvals() -> (Scene, Person) {
    let scene = scene();
    let nurse =
        scene.server.person_with_card(&scene.host, &scene.admin, "nurse", &[Role::User], "FFFE:00000001");
    let _: AccountChanged =
        done(scene.ask(&scene.admin, "update", "account/nurse", &json!({"groups": ["ward"]})));
    scene.change("create", "north", &json!({"ward": "North", "beds": 1}));
    let id = "@id(\"granted-update\")";
    assert!(DEFAULT.contains(id));
    scene.server.import("default", &DEFAULT.replace(id, &format!("{id}\n@approvals(\"1:ward\")")));
    (scene, nurse)
}

fn waits(scene: &Scene, beds: u64) -> Waiting {
    let reply = scene.ask(&scene.ana, "update", "wards/north", &json!({"merge": {"beds": beds}}));
    assert_eq!((reply.decision, reply.job), (Decision::Denied, None), "{}", reply.reason);
    reply.waiting.unwrap()
}

fn approves(scene: &Scene, who: &Person, waiting: &Waiting) -> RequestChanged {
    let shown: RequestShown = done(scene.ask(who, "read", &format!("request/{}", waiting.id), &Value::Null));
    let asked = shown.asked.unwrap();
    let statement = scene.host.statement(who, "approve", &format!("request/{}", waiting.request));
    let statement = Statement { approves: Some(Digest::of(&asked.statement.0)), ..statement };
    done(scene.host.request(who, &statement, None))
}

#[test]
fn a_change_that_takes_an_approval_is_done_once_it_has_it_with_the_proof_beside() {
    let (mut scene, nurse) = scene_of_approvals();
    let waiting = waits(&scene, 2);
    scene.work();
    assert_eq!(scene.fetch(&waiting.id).1.standing, JobStanding::Unknown);
    assert_eq!(scene.read("north").version, 1);
    // By then the host has other session keys: what signed the request is vouched for by its primary key.
    scene.server.clock.turn(3600);
    assert_eq!(scene.host.key_update(Some(7 * 3600)).status, 200);
    let changed = approves(&scene, &nurse, &waiting);
    assert_eq!(changed.state, RequestState::Done);
    let entry = scene.server.newest(EntryKind::Job);
    assert_eq!((entry.decision, &entry.detail[detail::REQUEST]), (Outcome::Allowed, &waiting.id.to_string()));
    assert!(
        entry.detail.contains_key(detail::APPROVED_BY) && entry.detail.contains_key(detail::QUEUED_UNTIL)
    );
    scene.work();
    let (fetch, reply) = scene.fetch(&waiting.id);
    assert_eq!(reply.standing, JobStanding::Done, "{}", reply.reason);
    scene.acknowledge(&waiting.id, &fetch);
    let shown = scene.read("north");
    assert_eq!((shown.version, shown.document.unwrap()["beds"].clone()), (2, json!(2)));
    assert_eq!(shown.by, scene.ana.account);
}

#[test]
fn a_change_without_its_approval_is_never_done() {
    let (scene, nurse) = scene_of_approvals();
    let (withdrawn, late) = (waits(&scene, 2), waits(&scene, 3));
    let called_off =
        scene.ask(&scene.ana, "withdraw", &format!("request/{}", withdrawn.request), &Value::Null);
    assert_eq!(called_off.decision, Decision::Allowed, "{}", called_off.reason);
    let shown: RequestShown =
        done(scene.ask(&nurse, "read", &format!("request/{}", withdrawn.id), &Value::Null));
    assert_eq!((shown.state, shown.asked), (RequestState::Withdrawn, None));
    scene.work();
    // Whoever asked lost their key before the approval came.
    let key = certificate::fingerprint(&scene.ana.cert).unwrap();
    let shown: RequestShown = done(scene.ask(&nurse, "read", &format!("request/{}", late.id), &Value::Null));
    let revoked = scene.ask(&scene.admin, "revoke", &format!("key/{key}"), &Value::Null);
    assert_eq!(revoked.decision, Decision::Allowed, "{}", revoked.reason);
    let statement = scene.host.statement(&nurse, "approve", &format!("request/{}", late.request));
    let approves = Some(Digest::of(&shown.asked.unwrap().statement.0));
    let refused = scene.host.request(&nurse, &Statement { approves, ..statement }, None);
    denied(&refused, "not active any more");
    scene.work();
    let documents = scene.server.intruder().number("SELECT max(version) FROM documents");
    assert_eq!(documents, 1);
}
