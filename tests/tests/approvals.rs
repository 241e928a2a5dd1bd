//! A request that two others must approve, each with a card of their own: from the first command to the ledger.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use countersign_tests::Machine;
use countersign_tests::site::{Ending, HostKey, Person, SOON, Scene, Site, talk};

const DEFAULT: &str = include_str!("../../server/core/src/policy/default.cedar");

/// Suspending takes two operators.
fn by_two() -> String {
    let id = "@id(\"administrators-suspend-and-revoke\")";
    DEFAULT.replace(id, &format!("{id}\n@approvals(\"2:operators\")"))
}

/// A command that signs `times` times with this person's card.
fn signs(who: &Person<'_>, arguments: &[&str], times: usize) -> Ending {
    let ident = who.card.ident();
    let all = [arguments, &["--card", ident.as_str()]].concat();
    talk(&who.countersign(&all).unwrap(), &vec![("PIN for", Person::PIN); times], SOON).unwrap()
}

#[test]
fn two_others_with_cards_of_their_own_approve_a_request_and_it_is_done() {
    let machine = Machine::start().unwrap();
    let scene = Scene::at(Site::enrolled(&machine, 4, HostKey::Sealed).unwrap()).unwrap();
    let operator = |name: &str, uid: u32, reader: usize| {
        let code = scene.olga.administer(&["admin", "user", "add", name]).unwrap().after("code").unwrap();
        scene.olga.administer(&["admin", "user", "update", name, "--group", "operators"]).unwrap();
        let person = scene.site.person(name, uid, reader).unwrap();
        person.register(name, &code).unwrap();
        person
    };
    let bob = operator("bob", 4202, 3);
    machine.write("/run/default.cedar", &by_two(), 0o644).unwrap();
    let put = ["policy", "put", "/run/default.cedar", "--over", "1"];
    let refused = signs(&scene.olga, &put, 1);
    assert_eq!(refused.code(), Some(3), "{}", refused.shown);
    assert!(refused.shown.contains("only 1 of them can give one"), "{}", refused.shown);
    let cyn = operator("cyn", 4203, 4);
    scene.olga.administer(&put).unwrap();

    let suspend = ["admin", "user", "suspend", "ana"];
    let tried = signs(&scene.olga, &[&suspend[..], &["--dry-run"]].concat(), 1);
    assert_eq!(tried.code(), Some(3), "{}", tried.shown);
    assert!(tried.shown.contains("It would wait for 2 approvals by operators."), "{}", tried.shown);
    let asked = signs(&scene.olga, &suspend, 1);
    assert_eq!(asked.code(), Some(11), "{}", asked.shown);
    assert!(asked.shown.contains("It waits for 2 approvals by operators, until"), "{}", asked.shown);
    let (_, id) = asked.shown.split_once("countersign job approve ").unwrap();
    let id: String = id.chars().take(9).collect();
    scene.ana_logs_in().unwrap();

    // What is signed is shown before the PIN that signs for it: by the command line, and by the agent out of the very bytes.
    let listed = signs(&bob, &["job", "list"], 1).success().unwrap().shown;
    assert!(listed.contains(&id) && listed.contains("for 2 more"), "{listed}");
    let first = signs(&bob, &["job", "approve", &id, "--comment", "She lost her card."], 2);
    let first = first.success().unwrap().shown;
    let asks = first.find(&format!("{} asks: suspend account/ana", scene.site.server.administrator)).unwrap();
    let agent = first.find("It approves this request of").unwrap();
    let pin = first.rfind("PIN for").unwrap();
    assert!(asks < agent && agent < pin, "{first}");
    assert!(first.contains("waits for 1 more"), "{first}");
    scene.ana_logs_in().unwrap();
    let own = signs(&scene.olga, &["job", "approve", &id], 2);
    assert_eq!(own.code(), Some(3), "{}", own.shown);

    let last = signs(&cyn, &["job", "approve", &id], 2).success().unwrap().shown;
    assert!(last.contains("She lost her card.") && last.contains("and is done."), "{last}");
    assert!(scene.ana_logs_in().is_err(), "she is suspended");
    let shown = signs(&scene.olga, &["job", "show", &id], 1).success().unwrap().shown;
    assert!(shown.contains("state       done") && shown.contains("approved    by bob"), "{shown}");

    let ledger = scene.ledger("approvals.jsonl").unwrap();
    assert!(ledger.contains("took 2:operators; approved in the entries"), "{ledger}");
    let export = scene.export("proof.jsonl").unwrap();
    let verify = scene.olga.countersign(&["ledger", "verify", &export]).unwrap();
    let holds = talk(&verify, &[], SOON).unwrap().success().unwrap().shown;
    assert!(holds.contains("approved    1 requests by other people"), "{holds}");
}

#[test]
fn whoever_asked_calls_it_off_and_nothing_happens() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.olga.administer(&["admin", "user", "update", "ana", "--group", "operators"]).unwrap();
    machine.write("/run/default.cedar", &by_two().replace("2:", "1:"), 0o644).unwrap();
    scene.olga.administer(&["policy", "put", "/run/default.cedar", "--over", "1"]).unwrap();
    let asked = signs(&scene.olga, &["admin", "user", "add", "fay"], 1);
    assert_eq!(asked.code(), Some(11), "who makes accounts makes approvers: {}", asked.shown);
    let (_, id) = asked.shown.split_once("countersign job approve ").unwrap();
    let id: String = id.chars().take(9).collect();
    let off = signs(&scene.olga, &["job", "withdraw", &id], 1).success().unwrap().shown;
    assert!(off.contains("is called off"), "{off}");
    let late = signs(&scene.ana, &["job", "approve", &id], 1);
    assert_eq!(late.code(), Some(1), "{}", late.shown);
    assert!(late.shown.contains("does not wait for approvals: it is withdrawn"), "{}", late.shown);
}
