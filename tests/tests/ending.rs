//! Ending keys, and barring accounts and hosts, with the commands an administrator types.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use countersign_tests::site::{Ending, HostKey, Person, SERVICE, SOON, Scene, talk};
use countersign_tests::{Dialogue, Machine, target_bin, wait_until};

const PIN: (&str, &str) = ("PIN for", Person::PIN);

/// What Olga types, with as many PINs as it takes.
fn olga(scene: &Scene<'_>, arguments: &[&str], pins: usize) -> Ending {
    let ident = scene.olga.card.ident();
    let mut all = arguments.to_vec();
    all.extend(["--card", ident.as_str()]);
    talk(&scene.olga.countersign(&all).unwrap(), &vec![PIN; pins], SOON).unwrap()
}

fn status(machine: &Machine) -> serde_json::Value {
    let mut status = machine.command(target_bin("countersign").unwrap());
    // It may end with 10: something needs attention.
    let shown = talk(status.args(["status", "--json"]), &[], SOON).unwrap().shown;
    serde_json::from_str(shown.trim()).unwrap()
}

fn wait_for_state(machine: &Machine, state: &str) {
    wait_until(&format!("the host to be {state}"), SOON, || {
        Ok((status(machine).get("state").and_then(serde_json::Value::as_str) == Some(state)).then_some(()))
    })
    .unwrap();
}

/// Ana is not let in: before the roster has changed by the server's word, after that by the host's.
fn ana_is_denied(scene: &Scene<'_>) {
    let mut command = scene.console.command("pamtester");
    command.args([SERVICE, "ana", "authenticate"]);
    let mut login = Dialogue::start(&command).unwrap();
    if login.expect_one_of(&["PIN for", "No account may open"], SOON).unwrap().0 == 0 {
        login.send_line(Person::PIN).unwrap();
    }
    login.expect_eof(SOON).unwrap();
    assert!(!login.wait(SOON).unwrap().success(), "{}", login.transcript());
}

#[test]
fn lost_card_named_by_its_account_or_number_lets_nobody_in_any_more() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana_logs_in().unwrap();

    // Whose it is, by the server's word although the card is in a reader here, is said before the PIN that does it.
    let ending = olga(&scene, &["admin", "key", "revoke", &scene.ana.card.ident()], 2).success().unwrap();
    let told = ending.shown.find("To be revoked, for good").unwrap();
    let signed = ending.shown.find("To sign: revoke key/").unwrap();
    assert!(told < signed && ending.shown.contains("of account ana"), "{}", ending.shown);
    assert!(ending.shown.contains(&scene.ana.card.ident()), "{}", ending.shown);
    assert!(ending.shown.contains("The key of account ana is revoked."), "{}", ending.shown);

    ana_is_denied(&scene);

    let shown = olga(&scene, &["admin", "user", "show", "ana"], 1).success().unwrap().shown;
    for expected in ["pending", "revoked", &scene.ana.card.ident()] {
        assert!(shown.contains(expected), "no {expected}:\n{shown}");
    }
    // It is revoked once only.
    let ending = olga(&scene, &["admin", "key", "revoke", "ana"], 1);
    assert_ne!(ending.code(), Some(0));
    assert!(ending.shown.contains("the account ana has no key"), "{}", ending.shown);
    let listed = scene.ledger("revoked.jsonl").unwrap();
    assert!(listed.contains("revoke key/"), "{listed}");
}

#[test]
fn last_administrator_is_told_whom_to_make_first() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let administrator = scene.site.server.administrator.clone();
    let ending = olga(&scene, &["admin", "key", "revoke", &administrator], 2);
    assert_eq!(ending.code(), Some(3), "{}", ending.shown);
    assert!(ending.shown.contains("last administrator"), "{}", ending.shown);
    let ending = olga(&scene, &["admin", "user", "suspend", &administrator], 1);
    assert_eq!(ending.code(), Some(3), "{}", ending.shown);
    assert!(ending.shown.contains("--role administrator"), "{}", ending.shown);
}

#[test]
fn suspended_account_logs_in_again_when_it_is_resumed() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    olga(&scene, &["admin", "user", "suspend", "ana"], 1).success().unwrap();
    ana_is_denied(&scene);
    let listed = olga(&scene, &["admin", "user", "list"], 1).success().unwrap().shown;
    let row = listed.lines().find(|line| line.starts_with("ana ")).unwrap();
    assert!(row.contains("suspended") && row.contains(&scene.ana.card.ident()), "{listed}");

    let ending = olga(&scene, &["admin", "user", "resume", "ana"], 1).success().unwrap();
    assert!(ending.shown.contains("is active again"), "{}", ending.shown);
    wait_until("the roster to have ana again", SOON, || {
        let roster = status(&machine).get("roster").map(ToString::to_string).unwrap_or_default();
        Ok(roster.contains("ana").then_some(()))
    })
    .unwrap();
    scene.ana_logs_in().unwrap();
}

#[test]
fn suspended_host_carries_no_login_until_it_is_resumed_and_a_revoked_one_never() {
    let first = Machine::start().unwrap();
    let scene = Scene::on(&first, HostKey::Sealed).unwrap();
    let machine = Machine::start().unwrap();
    let _second = scene.second_host(&machine).unwrap();
    wait_for_state(&machine, "active");
    let name = status(&machine).get("instance").unwrap().as_str().unwrap().to_owned();

    let ending = olga(&scene, &["admin", "host", "suspend", &name], 1).success().unwrap();
    assert!(ending.shown.contains("is suspended"), "{}", ending.shown);
    wait_for_state(&machine, "suspended");
    let shown = olga(&scene, &["admin", "host", "show", &name], 1).success().unwrap().shown;
    assert!(shown.contains("state       suspended"), "{shown}");
    let mut login = machine.command(target_bin("countersign").unwrap());
    login.args(["login", "try", "root", "--socket", "/run/countersign/pam.sock"]);
    let denied = talk(&login, &[], SOON).unwrap();
    assert!(!denied.status.success(), "{}", denied.shown);
    assert!(!denied.shown.contains("PIN for"), "{}", denied.shown);

    olga(&scene, &["admin", "host", "resume", &name], 1).success().unwrap();
    wait_for_state(&machine, "active");

    // The host one sits at cannot be ended from itself.
    let here = status(&first).get("instance").unwrap().as_str().unwrap().to_owned();
    let ending = olga(&scene, &["admin", "host", "revoke", &here], 1);
    assert_eq!(ending.code(), Some(3), "{}", ending.shown);
    assert!(ending.shown.contains("another host"), "{}", ending.shown);

    olga(&scene, &["admin", "host", "revoke", &name], 1).success().unwrap();
    let listed = olga(&scene, &["admin", "host", "list"], 1).success().unwrap().shown;
    let row = listed.lines().find(|line| line.starts_with(&name)).unwrap();
    assert!(row.contains("revoked"), "{listed}");
    wait_until("the revoked host to be refused", SOON, || {
        let problem = status(&machine).pointer("/server/problem").cloned();
        Ok(problem.filter(|problem| problem.to_string().contains("refused")).map(drop))
    })
    .unwrap();
    // It remembers, so that its roster lets nobody in while the server is away.
    let contact = std::fs::read_to_string(machine.path("/var/lib/countersign/check-in.json")).unwrap();
    assert!(contact.contains("\"refused\":true"), "{contact}");
}
