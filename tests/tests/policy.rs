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

/// Only the server knows the time: a host in touch asks it, however early it hears of the change.
const CLOSED: &str = "@id(\"closed\") @reason(\"Closed for today.\")\nforbid (principal, action == Action::\"open-session\", resource)\n\
     when { context.weekday > 0 } unless { principal.roles.contains(\"administrator\") };\n";

#[test]
fn a_document_is_tried_put_and_explained_by_its_administrator_and_its_denial_to_its_person() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    machine.write("/run/closed.cedar", CLOSED, 0o644).unwrap();
    let put = ["policy", "put", "/run/closed.cedar", "--new"];
    let pin = [("PIN for", Person::PIN)];
    let with_her_card = [("Which card", "2"), pin[0]];
    let ana =
        |arguments: &[&str]| talk(&scene.ana.countersign(arguments).unwrap(), &with_her_card, SOON).unwrap();

    // Tried first: she is told before her PIN that nothing comes of it, and nothing does.
    let tried = scene.olga.administer(&[&put[..], &["--dry-run"]].concat()).unwrap().shown;
    let (note, asked) =
        (tried.find("as a dry run: nothing is changed").unwrap(), tried.find("PIN for").unwrap());
    assert!(note < asked && tried.contains("It would be allowed: You are an administrator."), "{tried}");
    scene.ana_logs_in().unwrap();
    let refused =
        talk(&scene.olga.countersign(&["card", "factory-reset", "--dry-run"]).unwrap(), &[], SOON).unwrap();
    assert_eq!(refused.code(), Some(2), "what no server decides cannot be tried: {}", refused.shown);

    let said = scene.olga.administer(&put).unwrap().shown;
    assert!(said.contains("The policy document closed is in force, as version 1."), "{said}");
    let denied = talk(&scene.ana.countersign(&["login", "try"]).unwrap(), &pin, SOON).unwrap();
    assert_eq!(denied.code(), Some(3), "{}", denied.shown);
    assert!(denied.shown.contains("Closed for today."), "{}", denied.shown);
    let (_, quoted) = denied.shown.split_once("quote ").unwrap();
    let id: String = quoted.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();

    let why = scene.olga.administer(&["policy", "explain", &id]).unwrap().shown;
    for words in [
        "Denied by the policies of epoch 2: Closed for today.",
        "Forbidden by closed in closed: Closed for today.",
        "the account's roles would have to hold administrator; the account's roles: user",
        "Permitted by login-bound-to-account in default",
    ] {
        assert!(why.contains(words), "{words:?} is not in: {why}");
    }
    let hers = ana(&["policy", "explain", &id]);
    assert_eq!(hers.code(), Some(3));
    assert!(hers.shown.contains("No policy lets account ana explain policy/all."), "{}", hers.shown);
    let hers = ana(&["policy", "explain", "--mine", &id]).success().unwrap().shown;
    assert!(hers.contains(": Closed for today.") && !hers.contains("Forbidden by"), "{hers}");

    let listed = scene.olga.administer(&["policy", "list"]).unwrap().shown;
    assert!(listed.contains("closed") && listed.contains(&scene.site.server.administrator), "{listed}");
    scene.olga.administer(&["policy", "rm", "closed", "--over", "1"]).unwrap();
    scene.ana_logs_in().unwrap();
}
