//! A document's life, by who may and who may not.

use countersign_protocol::ids::Role;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::limits;
use countersign_protocol::message::JobStanding;
use countersign_protocol::message::result::{CollectionList, DocumentChanged, DocumentList};
use serde_json::{Value, json};

use super::*;

#[test]
fn a_document_is_made_read_changed_listed_and_deleted_and_the_ledger_says_each() {
    let scene = scene();
    let made = scene.change("create", "north", &json!({"ward": "North", "beds": 12}));
    assert_eq!((made.version, made.name.as_str(), made.collection.as_str()), (1, "north", "wards"));
    let entries = scene.server.entries();
    let of = |kind: EntryKind| entries.iter().rfind(|entry| entry.kind == kind).unwrap();
    let (job, done, served) = (of(EntryKind::Job), of(EntryKind::JobDone), of(EntryKind::JobResult));
    for entry in [job, done, served] {
        assert_eq!(entry.decision, Outcome::Allowed);
        assert_eq!(entry.resource.as_ref().unwrap().as_str(), "wards/north");
        assert_eq!(entry.account.as_ref().unwrap(), &scene.ana.account);
        assert_eq!(entry.instance.as_ref().unwrap(), &scene.host.fingerprint());
    }
    assert_eq!(done.correlation, job.correlation);
    assert_eq!(done.detail["version"], "1");
    assert!(job.detail.contains_key("queued-until"));

    assert_eq!(scene.read("north").document.unwrap()["beds"], json!(12));
    let whole =
        scene.change("update", "north", &json!({"document": {"ward": "North", "beds": 13}, "over": 1}));
    assert_eq!(whole.version, 2);
    let merged = scene.change("update", "north", &json!({"merge": {"beds": null}}));
    assert_eq!(merged.version, 3);
    let shown = scene.read("north");
    assert_eq!((shown.version, Value::Object(shown.document.unwrap())), (3, json!({"ward": "North"})));
    let gone = scene.change("delete", "north", &json!({"over": 3}));
    assert_eq!(gone.version, 4);
    let why = scene.failure(&scene.ana, "read", "wards/north", &Value::Null);
    assert!(why.contains("There is no document north in wards"), "{why}");
    // No version is ever two documents.
    assert_eq!(scene.change("create", "north", &json!({"ward": "New"})).version, 5);
}

#[test]
fn who_was_granted_nothing_is_told_the_same_of_what_is_there_and_what_is_not() {
    let scene = scene();
    scene.change("create", "north", &json!({"ward": "North"}));
    for operation in ["read", "update", "delete", "create"] {
        let body = match operation {
            "read" | "delete" => Value::Null,
            "update" => json!({"merge": {"beds": 1}}),
            _ => json!({"ward": "x"}),
        };
        let told = |resource: &str| {
            let reply = scene.ask(&scene.ben, operation, resource, &body);
            assert!(reply.job.is_none());
            denied(&reply, "No policy lets account ben");
            reply.reason.replace(resource, "RESOURCE")
        };
        let there = told("wards/north");
        for absent in ["wards/south", "rooms/north"] {
            assert_eq!(told(absent), there, "{operation} {absent}");
        }
    }
    let told =
        |resource: &str| scene.ask(&scene.ben, "list", resource, &Value::Null).reason.replace(resource, "");
    assert_eq!(told("collection/wards"), told("collection/rooms"));
    // Nor does an administrator see them, who was granted nothing.
    for operation in ["create", "read"] {
        denied(
            &scene.ask(&scene.admin, operation, "wards/north", &json!({})),
            "No policy lets account admin",
        );
    }
}

#[test]
fn each_kind_of_access_is_granted_and_withdrawn_by_itself() {
    let scene = scene();
    scene.change("create", "north", &json!({"ward": "North"}));
    let asks = [
        ("read", "wards/north", Value::Null),
        ("create", "wards/south", json!({"ward": "South"})),
        ("update", "wards/north", json!({"merge": {"beds": 3}})),
        ("delete", "wards/north", Value::Null),
    ];
    for (access, ..) in &asks {
        let grant = format!(r#"{{"account":"ben","access":["{access}"]}}"#);
        let _granted: CollectionList =
            done(scene.host.job(&scene.clinic, "grant", "collection/wards", Some(grant.as_bytes())));
        for (operation, resource, body) in &asks {
            let tried = scene.ask(&scene.ben, operation, resource, body);
            let may = operation == access;
            assert_eq!(tried.decision == Decision::Allowed, may, "{access}: {operation}: {}", tried.reason);
        }
        let may_list = scene.ask(&scene.ben, "list", "collection/wards", &Value::Null).decision;
        assert_eq!(may_list == Decision::Allowed, *access == "read");
        let _withdrawn: CollectionList = done(scene.host.job(
            &scene.clinic,
            "withdraw",
            "collection/wards",
            Some(br#"{"account":"ben"}"#),
        ));
    }
    scene.work();
}

#[test]
fn what_cannot_be_done_is_told_with_what_to_do_and_changes_nothing() {
    let scene = scene();
    scene.change("create", "north", &json!({"ward": "North", "beds": 12}));
    let says = |operation: &str, resource: &str, body: Value, part: &str| {
        let reply = scene.ask(&scene.ana, operation, resource, &body);
        let why = match reply.job {
            None => reply.reason,
            Some(JobAccepted { job, .. }) => {
                scene.work();
                let (_, reply) = scene.fetch(&job);
                assert_eq!(reply.standing, JobStanding::Failed);
                reply.reason
            }
        };
        assert!(why.contains(part), "{part:?} is not in: {why}");
    };
    says(
        "create",
        "wards/north",
        json!({"ward": "x"}),
        "There is a document north in wards already, at version 1",
    );
    says("create", "wards/south", json!({"beds": -1, "x": 1}), "at /beds: -1 is less than the minimum");
    says("create", "wards/south", json!({"beds": 1}), "\"ward\" is a required property");
    says("update", "wards/north", json!({"merge": {"beds": "many"}}), "at /beds: \"many\" is not of type");
    says("update", "wards/north", json!({"merge": {"beds": 1}, "over": 7}), "is at version 1 now");
    says("update", "wards/north", json!({"merge": {}, "document": {}}), "and not both");
    says("update", "wards/south", json!({"merge": {"beds": 1}}), "There is no document south");
    says("delete", "wards/north", json!({"over": 9}), "is at version 1 now");
    let long = format!("wards/{}", "x".repeat(129));
    says("create", &long, json!({"ward": "x"}), "no document's name");
    says("create", "wards/south", json!(["a list"]), "The body is not a document");
    says("create", "wards/south", Value::Null, "needs a body");
    says("update", "wards/north", json!({"marge": {}}), "unknown field `marge`");
    says("read", "wards/north", json!({"version": 8}), "has no version 8");
    denied(&scene.ask(&scene.ana, "rename", "wards/north", &Value::Null), "No policy");
    let broken = scene.host.job(&scene.ana, "create", "wards/south", Some(b"{\"ward\": \"x\""));
    denied(&broken, "EOF while parsing");
    // Nothing of all that happened.
    assert_eq!(scene.read("north").version, 1);
    let list: DocumentList =
        opened(&scene.ana, &scene.run(&scene.ana, "list", "collection/wards", &Value::Null));
    assert_eq!(list.documents.len(), 1);
    // As it was is no new version.
    let same = scene.change("update", "north", &json!({"merge": {"beds": 12}}));
    assert!(same.unchanged && same.version == 1);
}

#[test]
fn a_list_is_filtered_and_comes_page_by_page() {
    let scene = scene();
    for (number, ward) in ["North", "South", "North", "East", "North"].iter().enumerate() {
        scene.change("create", &format!("r{number}"), &json!({"ward": ward, "beds": number}));
    }
    let list = |body: Value| -> DocumentList {
        opened(&scene.ana, &scene.run(&scene.ana, "list", "collection/wards", &body))
    };
    let names = |list: &DocumentList| -> Vec<String> {
        list.documents.iter().map(|document| document.name.to_string()).collect()
    };
    let all = list(Value::Null);
    assert_eq!((names(&all).len(), all.next.clone()), (5, None));
    let north = list(json!({"filter": {"ward": "North"}, "names_only": true}));
    assert_eq!(names(&north), ["r0", "r2", "r4"]);
    assert!(north.documents.iter().all(|document| document.document.is_none()));
    let first = list(json!({"filter": {"ward": "North"}, "most": 2}));
    assert_eq!(names(&first), ["r0", "r2"]);
    let rest = list(json!({"filter": {"ward": "North"}, "most": 2, "after": first.next.unwrap()}));
    assert_eq!((names(&rest), rest.next), (vec!["r4".to_owned()], None));
    // A page holds as much as a reply does.
    let large = "x".repeat(400_000);
    for number in 5..8 {
        scene.change("create", &format!("r{number}"), &json!({"ward": large}));
    }
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = list(json!({"after": after}));
        seen.extend(names(&page));
        match page.next {
            Some(next) => after = json!(next),
            None => break,
        }
    }
    assert_eq!(seen, ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"]);
}

#[test]
fn a_suspended_collection_does_nothing_and_says_so_to_those_alone_who_may_know() {
    let scene = scene();
    scene.change("create", "north", &json!({"ward": "North"}));
    let waiting = scene.queue(&scene.ana, "update", "wards/north", &json!({"merge": {"beds": 1}}));
    let _suspended: CollectionList = done(scene.host.job(&scene.clinic, "suspend", "collection/wards", None));
    scene.work();
    let (_, reply) = scene.fetch(&waiting.job);
    assert!(
        reply.standing == JobStanding::Failed && reply.reason.contains("is suspended"),
        "{}",
        reply.reason
    );
    denied(&scene.ask(&scene.ana, "read", "wards/north", &Value::Null), "The collection wards is suspended");
    denied(&scene.ask(&scene.ben, "read", "wards/north", &Value::Null), "No policy");
    let _resumed: CollectionList = done(scene.host.job(&scene.clinic, "resume", "collection/wards", None));
    assert_eq!(scene.read("north").version, 1);
}

#[test]
fn a_document_of_the_largest_size_passes_and_a_larger_one_is_refused_with_the_limit() {
    let scene = scene();
    let free = scene.server.person(&scene.host, &scene.admin, "free", &[Role::Resource]);
    let _made: CollectionList = done(scene.ask(&free, "create", "collection/blobs", &json!({})));
    let of = |bytes: usize| {
        let frame = json!({"data": ""}).to_string().len();
        json!({"data": "x".repeat(bytes - frame)})
    };
    let largest = of(limits::DOCUMENT);
    let made = scene.run(&free, "create", "blobs/large", &largest);
    let changed: DocumentChanged = serde_json::from_value(made.result.unwrap()).unwrap();
    assert_eq!(changed.version, 1);
    // More comes about by a patch.
    let why = scene.failure(&free, "update", "blobs/large", &json!({"merge": {"more": true}}));
    assert!(why.contains(&format!("at most {} are kept", limits::DOCUMENT)), "{why}");
}
