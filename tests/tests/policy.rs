//! A policy of the administrator's own, from its file to the person who is turned away.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use countersign_tests::site::{HostKey, Person, SILENT_REST, SOON, Scene, Site, stack, talk};
use countersign_tests::{Machine, target_bin};

const DEFAULT: &str = include_str!("../../server/core/src/policy/default.cedar");
const DOCUMENT: &str = include_str!("../../docs/policy.md");

/// An example of the document.
fn example(id: &str) -> &'static str {
    let text = &DOCUMENT[DOCUMENT.find(&format!("@id(\"{id}\")")).unwrap()..];
    &text[..text.find("```").unwrap()]
}

#[test]
fn login_is_refused_at_a_terminal_that_policy_does_not_mean_and_sudo_is_not() {
    let machine = Machine::start().unwrap();
    let mut site = Site::new(&machine, 2, HostKey::Sealed).unwrap();
    let examples = [example("consoles-of-seat0"), example("sudo-from-the-seat")].concat();
    site.server.go_by(&machine, &format!("{DEFAULT}\n{examples}")).unwrap();
    site.put_to_work().unwrap();
    let scene = Scene::at(site).unwrap();
    for service in ["login", "sudo"] {
        machine.pam_service(service, &stack(SILENT_REST).unwrap()).unwrap();
    }
    machine.sudoers("Defaults timestamp_timeout=0\nDefaults !lecture\nana ALL=(root) ALL\n").unwrap();
    let pin = [("PIN for", Person::PIN)];

    let mut sudo = scene.ana.seat.command_as(&scene.ana.user, "sudo");
    let ending = talk(sudo.args(["id", "-u"]), &pin, SOON).unwrap().success().unwrap();
    assert!(ending.shown.lines().any(|line| line == "0"), "{}", ending.shown);

    // Her seat is the right one, but a pseudo terminal is no console.
    let mut tried = scene.ana.countersign(&["login", "try", "--service", "login"]).unwrap();
    tried.env("LC_ALL", "C.UTF-8");
    let ending = talk(&tried, &pin, SOON).unwrap();
    assert_eq!(ending.code(), Some(3), "{}", ending.shown);
    assert!(ending.shown.contains("Log in at a console of the main seat."), "{}", ending.shown);
    let ledger = scene.ledger("policy.jsonl").unwrap();
    assert!(ledger.contains("DENIED   ana: log in as ana through login"), "{ledger}");

    // The signed statement says where she was.
    let export = scene.export("place.jsonl").unwrap();
    let out = machine.scratch().join("olga/evidence");
    let entry = ledger.lines().find(|line| line.contains("DENIED")).unwrap();
    let entry = entry.split_whitespace().next().unwrap();
    let take = ["ledger", "evidence", &export, "--entry", entry, "--out", out.to_str().unwrap()];
    talk(&scene.olga.countersign(&take).unwrap(), &[], SOON).unwrap().success().unwrap();
    let signed: String = std::fs::read_dir(&out)
        .unwrap()
        .filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok())
        .collect();
    for words in ["\"from\": \"local\"", "\"seat\": \"seat0\"", "\"terminal\": \"pts/"] {
        assert!(signed.contains(words), "{words}: {signed}");
    }
}

#[test]
fn a_policy_that_cannot_be_read_is_refused_and_told_with_its_place() {
    let machine = Machine::start().unwrap();
    let site = Site::new(&machine, 1, HostKey::Sealed).unwrap();
    let wrong = example("working-hours").replace("weekday", "dayofweek");
    let refused = site.server.go_by(&machine, &format!("{DEFAULT}\n{wrong}")).unwrap_err().to_string();
    let line =
        DEFAULT.lines().count() + 1 + wrong.lines().position(|line| line.contains("dayofweek")).unwrap() + 1;
    assert!(refused.contains(&format!("default, line {line}, column 5")), "{refused}");
    // What was in force still is.
    let mut show = machine.command(target_bin("countersign-server").unwrap());
    show.args(["policy", "show", "--config", site.server.config(), "default"]);
    assert!(!talk(&show, &[], SOON).unwrap().success().unwrap().shown.contains("dayofweek"));
}
