//! Documents, from the command line to the card that opens them: real agent, real server, virtual cards.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use countersign_tests::Machine;
use countersign_tests::site::{Ending, HostKey, Person, SOON, Scene, talk};

const PIN: [(&str, &str); 1] = [("PIN for", Person::PIN)];

const SCHEMA: &str =
    r#"{"type": "object", "required": ["ward"], "properties": {"beds": {"type": "integer"}}}"#;

/// Ana owns the collection `wards`.
fn scene(machine: &Machine) -> Scene<'_> {
    let scene = Scene::on(machine, HostKey::Sealed).unwrap();
    machine.write("/run/schema.json", SCHEMA, 0o644).unwrap();
    machine.write("/run/north.json", r#"{"ward": "North", "beds": 12}"#, 0o644).unwrap();
    machine.write("/run/fewer.json", r#"{"beds": 11}"#, 0o644).unwrap();
    scene
        .olga
        .administer(&["admin", "user", "update", "ana", "--role", "user", "--role", "resource"])
        .unwrap();
    hers(&scene, &["collection", "create", "wards", "--schema", "/run/schema.json"]).success().unwrap();
    scene
}

/// A command of Ana's, whose card is asked for its PIN once.
fn hers(scene: &Scene<'_>, arguments: &[&str]) -> Ending {
    asked(scene, arguments, &PIN)
}

fn asked(scene: &Scene<'_>, arguments: &[&str], answers: &[(&str, &str)]) -> Ending {
    let card = scene.ana.card.ident();
    let with_card = [arguments, &["--card", &card]].concat();
    let ending = talk(&scene.ana.countersign(&with_card).unwrap(), answers, SOON).unwrap();
    assert_eq!(ending.shown.matches("PIN for").count(), answers.len(), "{}", ending.shown);
    ending
}

/// The id that was to be quoted.
fn quoted(ending: &Ending) -> String {
    ending.shown.split("quote ").nth(1).unwrap().chars().take(9).collect()
}

#[test]
fn a_document_is_written_read_with_the_card_changed_listed_and_deleted() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine);
    let put = hers(&scene, &["put", "wards/north", "/run/north.json", "--new"]).success().unwrap();
    // What is signed is said before the PIN is asked for.
    let (said, pin) =
        (put.shown.find("To sign: create wards/north").unwrap(), put.shown.find("PIN for").unwrap());
    assert!(said < pin && put.shown.contains("wards/north was written: version 1."), "{}", put.shown);
    // One PIN signs the request and opens what comes of it.
    let got = hers(&scene, &["get", "wards/north"]).success().unwrap();
    assert!(got.shown.contains("\"beds\": 12"), "{}", got.shown);
    hers(&scene, &["patch", "wards/north", "/run/fewer.json", "--over", "1"]).success().unwrap();
    let late = hers(&scene, &["patch", "wards/north", "/run/fewer.json", "--over", "1"]);
    assert_eq!(late.code(), Some(1), "{}", late.shown);
    assert!(late.shown.contains("is at version 2 now"), "{}", late.shown);
    let listed = hers(&scene, &["ls", "wards", "--filter", r#"{"beds": 11}"#]).success().unwrap();
    assert!(listed.shown.contains("north           2"), "{}", listed.shown);
    let earlier = hers(&scene, &["get", "wards/north", "--version", "1"]).success().unwrap();
    assert!(earlier.shown.contains("\"beds\": 12"), "{}", earlier.shown);
    hers(&scene, &["rm", "wards/north"]).success().unwrap();
    let gone = hers(&scene, &["get", "wards/north"]);
    assert_eq!(gone.code(), Some(1));
    assert!(gone.shown.contains("There is no document north in wards"), "{}", gone.shown);

    let jobs = hers(&scene, &["job", "list"]).success().unwrap();
    for (standing, request) in [
        ("served", "create wards/north"),
        ("served", "read wards/north"),
        ("served", "list collection/wards"),
    ] {
        let is_it = |line: &str| line.contains(standing) && line.contains(request);
        assert!(jobs.shown.lines().any(is_it), "{request}: {}", jobs.shown);
    }
    // Served once: here, and not again.
    let again = scene.ana.countersign(&["job", "result", &quoted(&gone)]).unwrap();
    let again = talk(&again, &[], SOON).unwrap();
    assert_eq!(again.code(), Some(1), "{} {}", again.shown, scene.site.agent_log());
    assert!(again.shown.contains("served before"), "{}", again.shown);
}

#[test]
fn what_is_wrong_is_said_before_the_pin_or_by_the_server_with_what_to_do() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine);
    machine.write("/run/broken.json", "{\"ward\": ", 0o644).unwrap();
    machine.write("/run/wrong.json", r#"{"beds": "many"}"#, 0o644).unwrap();
    let broken = asked(&scene, &["put", "wards/north", "/run/broken.json", "--new"], &[]);
    assert!(
        broken.shown.contains("is no JSON object") && broken.shown.contains("Nothing was sent"),
        "{}",
        broken.shown
    );
    let wrong = hers(&scene, &["put", "wards/north", "/run/wrong.json", "--new"]);
    assert_eq!(wrong.code(), Some(1));
    for part in ["at /beds", "is not of type", "\"ward\" is a required property"] {
        assert!(wrong.shown.contains(part), "{part}: {}", wrong.shown);
    }
    // Olga administers, and was granted nothing: there or not, she is told the same.
    let olga = |name: &str| {
        let card = scene.olga.card.ident();
        let ending =
            talk(&scene.olga.countersign(&["get", name, "--card", &card]).unwrap(), &PIN, SOON).unwrap();
        assert_eq!(ending.code(), Some(3), "{}", ending.shown);
        let said = ending.shown.lines().find(|line| line.contains("denied: ")).unwrap();
        said.replace(name, "RESOURCE")
    };
    hers(&scene, &["put", "wards/north", "/run/north.json", "--new"]).success().unwrap();
    assert_eq!(olga("wards/north"), olga("rooms/north"));
    // Tried only: nothing comes of it.
    let tried = hers(&scene, &["put", "wards/south", "/run/north.json", "--new", "--dry-run"]);
    assert!(tried.shown.contains("It would be allowed: This collection is yours."), "{}", tried.shown);
    let south = hers(&scene, &["get", "wards/south"]);
    assert!(south.shown.contains("There is no document south"), "{}", south.shown);
}
