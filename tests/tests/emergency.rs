//! Emergency codes: in at the console without the card, once, and everybody hears of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_protocol::roster::{Roster, SignedRoster};
use countersign_tests::memory::forms_in;
use countersign_tests::site::{
    Ending, HostKey, Person, SERVICE, SILENT_REST, SOON, Scene, Site, TurnedClock, Way, Weather, stack, talk,
};
use countersign_tests::{Dialogue, Machine, SessionSpec, wait_until};

const HOOKS: [&str; 3] = ["authenticate", "acct_mgmt", "setcred"];

const ASKS: &str = "or type your emergency code: ";

const WRONG: &str = "0000-0000-0000-0000";

/// Ana's card is at home. Returns her emergency code, made with the card before she left.
fn without_a_card(scene: &Scene<'_>) -> String {
    let ending = scene.ana.administer(&["emergency-code", "ana"]).unwrap();
    let code = ending.after("|  Emergency code:").unwrap();
    scene.ana.card.pull().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    code
}

fn with_the_card_again(scene: &Scene<'_>) {
    scene.ana.card.insert().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
}

fn services(machine: &Machine) {
    for service in ["login", "su", "sudo"] {
        machine.pam_service(service, &stack(SILENT_REST).unwrap()).unwrap();
    }
}

/// At the console, by the service `login`.
fn console(scene: &Scene<'_>, answers: &[(&str, &str)]) -> Ending {
    let mut command = scene.console.command("pamtester");
    command.args(["login", "ana"]).args(HOOKS);
    talk(&command, answers, SOON).unwrap()
}

/// Waits until the host's roster has a code of Ana's, or has it not.
fn wait_for_code(scene: &Scene<'_>, is_there: bool) {
    wait_until("the roster", SOON, || {
        let bytes = std::fs::read(scene.site.machine.path("/var/lib/countersign/roster.json")).ok();
        let signed = bytes.and_then(|bytes| serde_json::from_slice::<SignedRoster>(&bytes).ok());
        let roster = signed.and_then(|signed| Roster::from_bytes(&signed.roster.0).ok());
        let accounts = roster.into_iter().flat_map(|roster| roster.entries).flat_map(|entry| entry.accounts);
        let has = accounts.filter(|one| one.account.as_str() == "ana").any(|one| one.emergency.is_some());
        Ok((has == is_there).then_some(()))
    })
    .unwrap();
}

#[test]
fn an_emergency_code_opens_the_console_once_and_its_person_and_the_ledger_hear_of_it() {
    let machine = Machine::start().unwrap();
    services(&machine);
    let log = machine.start_system_log().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let code = without_a_card(&scene);
    wait_for_code(&scene, true);

    let ending = console(&scene, &[(ASKS, WRONG)]);
    assert!(!ending.status.success(), "{}", ending.shown);
    assert!(ending.shown.contains("was not accepted"), "{}", ending.shown);
    // As people type it, and what is no code is asked for again.
    let typed = code.to_lowercase().replace('-', " ");
    let ending = console(&scene, &[(ASKS, Person::PIN), (ASKS, &typed)]);
    assert!(ending.status.success(), "{}", ending.shown);
    assert!(ending.shown.contains("has 16 digits and letters"), "{}", ending.shown);
    assert!(ending.shown.contains("which is worth nothing any more"), "{}", ending.shown);
    // From now on there is none: only the card is asked for.
    wait_for_code(&scene, false);
    let mut command = scene.console.command("pamtester");
    command.args(["login", "ana", "authenticate"]);
    let mut dialogue = Dialogue::start(&command).unwrap();
    dialogue.expect("Insert the card of ana.", SOON).unwrap();
    with_the_card_again(&scene);
    dialogue.expect("PIN for", SOON).unwrap();
    dialogue.send_line(Person::PIN).unwrap();
    dialogue.expect_eof(SOON).unwrap();
    assert!(dialogue.wait(SOON).unwrap().success(), "{}", dialogue.transcript());
    let shown = dialogue.transcript();
    assert!(shown.contains("Your emergency code was used on "), "{shown}");
    assert!(shown.contains("If that was not you"), "{shown}");
    // Not once: that login might have been one that shows nothing.
    let ending = scene.ana_logs_in().unwrap();
    assert!(ending.shown.contains("Your emergency code was used on "), "{}", ending.shown);

    let told = log.text();
    assert!(told.contains("event=emergency-code-used"), "{told}");
    let journal = scene.ana.countersign(&["journal"]).unwrap();
    let ending = talk(&journal, &[], SOON).unwrap().success().unwrap();
    assert!(ending.shown.contains("emergency code used"), "{}", ending.shown);
    let listed = scene.ledger("emergency.jsonl").unwrap();
    assert!(listed.contains("The emergency code of ana was used"), "{listed}");

    let typed = [code.clone(), code.replace('-', ""), code.to_lowercase()];
    nowhere(&machine, &scene, &typed, &log.text());
}

/// No code in any log or file of this machine, server and host.
fn nowhere(machine: &Machine, scene: &Scene<'_>, codes: &[String], told: &str) {
    let mut places = vec![(PathBuf::from("syslog"), told.as_bytes().to_vec())];
    places.push(("the server".into(), scene.site.server.log().into_bytes()));
    places.push(("the agent".into(), scene.site.agent_log().into_bytes()));
    for folder in ["/var/lib/countersign", "/var/lib/countersign-server", "/run/countersign", "/var/log"] {
        read_all(&machine.path(folder), &mut places);
    }
    assert!(places.iter().any(|(path, _)| path.ends_with("journal.sqlite")));
    for (path, bytes) in &places {
        for code in codes {
            assert_eq!(forms_in(bytes, code.as_bytes()).unwrap(), [""; 0], "{}", path.display());
        }
    }
}

fn read_all(folder: &Path, into: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => read_all(&entry.path(), into),
            Ok(kind) if kind.is_file() => into.push((entry.path(), std::fs::read(entry.path()).unwrap())),
            _ => {}
        }
    }
}

#[test]
fn an_emergency_code_is_never_asked_for_by_sudo_from_afar_or_where_the_card_is_in() {
    let machine = Machine::start().unwrap();
    services(&machine);
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    machine.sudoers("Defaults timestamp_timeout=0\nDefaults !lecture\nana ALL=(root) ALL\n").unwrap();
    let code = without_a_card(&scene);
    wait_for_code(&scene, true);

    // sudo, and a service that is no console's, ask for the card and nothing else.
    let mut sudo = scene.ana.seat.command_as(&scene.ana.user, "sudo");
    sudo.args(["id", "-u"]);
    let mut other = scene.console.command("pamtester");
    other.args([SERVICE, "ana", "authenticate"]);
    let mut dialogue = Dialogue::start(&other).unwrap();
    dialogue.expect("Insert the card of ana.", SOON).unwrap();
    assert!(!dialogue.transcript().contains("emergency"), "{}", dialogue.transcript());
    drop(dialogue);
    // sudo shows no note before its first prompt: a prompt for a code would be the first thing on the terminal.
    let mut dialogue = Dialogue::start(&sudo).unwrap();
    assert!(dialogue.expect(ASKS, Duration::from_secs(3)).is_err(), "{}", dialogue.transcript());
    with_the_card_again(&scene);
    dialogue.expect("PIN for", SOON).unwrap();
    assert!(!dialogue.transcript().contains("emergency"), "{}", dialogue.transcript());
    drop(dialogue);
    scene.ana.card.pull().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    // Somebody far away is asked for nothing.
    let far = machine.session(SessionSpec::remote("7", &scene.ana.user, "198.51.100.7")).unwrap();
    let mut su = far.command_as(&scene.ana.user, "su");
    su.args(["ana", "-c", "id -un"]);
    let ending = talk(&su, &[], SOON).unwrap();
    assert!(!ending.status.success() && !ending.shown.contains("emergency"), "{}", ending.shown);
    assert!(ending.shown.contains("No card is asked"), "{}", ending.shown);

    // At the seat, su may ask. Enter says that the card is in; if it is not yet, it is waited for.
    let mut su = scene.olga.seat.command_as(&scene.olga.user, "su");
    su.args(["ana", "-c", "id -un"]);
    let mut dialogue = Dialogue::start(&su).unwrap();
    dialogue.expect(ASKS, SOON).unwrap();
    dialogue.send_line("").unwrap();
    dialogue.expect("Insert the card of ana.", SOON).unwrap();
    with_the_card_again(&scene);
    dialogue.expect("PIN for", SOON).unwrap();
    dialogue.send_line(Person::PIN).unwrap();
    dialogue.expect("ana", SOON).unwrap();
    dialogue.expect_eof(SOON).unwrap();
    assert!(dialogue.wait(SOON).unwrap().success(), "{}", dialogue.transcript());
    // With the card in there is no need of a code, so none is asked for.
    let ending = console(&scene, &[("PIN for", Person::PIN)]);
    assert!(ending.status.success() && !ending.shown.contains("emergency"), "{}", ending.shown);
    // And it was not used by any of this.
    scene.ana.card.pull().unwrap();
    scene.ana.card.wait_until_seen().unwrap();
    assert!(console(&scene, &[(ASKS, &code)]).status.success());
}

/// Ana at a host that may let her in without the server.
fn away(machine: &Machine) -> Scene<'_> {
    let mut site = Site::by(Way::Road, machine, 2, HostKey::Sealed).unwrap();
    site.server.permit_offline(machine, 24, 20).unwrap();
    site.put_to_work().unwrap();
    services(machine);
    Scene::at(site).unwrap()
}

fn weather(scene: &Scene<'_>, weather: Weather) {
    scene.site.server.road.as_ref().unwrap().weather(weather).unwrap();
}

#[test]
fn an_emergency_code_works_once_without_the_server_and_is_told_to_it_later() {
    let machine = Machine::start().unwrap();
    let mut scene = away(&machine);
    // The host learns that `login` is asked for before it may be used without the server.
    assert!(console(&scene, &[("PIN for", Person::PIN)]).status.success());
    let code = without_a_card(&scene);
    wait_for_code(&scene, true);
    weather(&scene, Weather::Refused);

    let ending = console(&scene, &[(ASKS, WRONG)]);
    assert!(!ending.status.success(), "{}", ending.shown);
    assert!(ending.shown.contains("is not the one that this host knows"), "{}", ending.shown);
    let ending = console(&scene, &[(ASKS, &code)]);
    assert!(ending.status.success(), "{}", ending.shown);
    assert!(ending.shown.contains("This host let you in by your emergency code"), "{}", ending.shown);
    // Neither again, nor after a restart.
    scene.site.stop_agent().unwrap();
    scene.site.start_agent().unwrap();
    let ending = console(&scene, &[(ASKS, &code)]);
    assert!(!ending.status.success(), "{}", ending.shown);
    assert!(ending.shown.contains("cannot be used here"), "{}", ending.shown);

    weather(&scene, Weather::Clear);
    wait_for_code(&scene, false);
    let listed = scene.ledger("back.jsonl").unwrap();
    assert!(listed.contains("The emergency code of ana was used on"), "{listed}");
    assert!(listed.contains("wrong emergency code"), "{listed}");
    with_the_card_again(&scene);
    let ending = console(&scene, &[("PIN for", Person::PIN)]);
    assert!(ending.shown.contains("Your emergency code was used on "), "{}", ending.shown);
    let typed = [code.clone(), code.replace('-', "")];
    nowhere(&machine, &scene, &typed, "");
}

#[test]
fn an_emergency_code_whose_answer_is_lost_lets_in_whoever_waits() {
    let machine = Machine::start().unwrap();
    let mut site = Site::by(Way::Road, &machine, 2, HostKey::Sealed).unwrap();
    site.server.permit_offline(&machine, 24, 0).unwrap();
    site.put_to_work().unwrap();
    services(&machine);
    // The host may decide nothing by itself.
    let scene = Scene::at(site).unwrap();
    let code = without_a_card(&scene);
    wait_for_code(&scene, true);
    let mut command = scene.console.command("pamtester");
    command.args(["login", "ana"]).args(HOOKS);
    let mut dialogue = Dialogue::start(&command).unwrap();
    dialogue.expect(ASKS, SOON).unwrap();
    weather(&scene, Weather::AnswerLost);
    dialogue.send_line(&code).unwrap();
    dialogue.expect("It is asked again and again", SOON).unwrap();
    // Longer than anybody waits for an answer otherwise: the code is used up at the server by now.
    std::thread::sleep(countersign_protocol::limits::SERVER_ANSWER + Duration::from_secs(1));
    weather(&scene, Weather::Clear);
    dialogue.expect("You were let in by your emergency code", SOON).unwrap();
    dialogue.expect_eof(SOON).unwrap();
    assert!(dialogue.wait(SOON).unwrap().success(), "{}", dialogue.transcript());
    let listed = scene.ledger("lost.jsonl").unwrap();
    assert_eq!(listed.matches("The emergency code of ana was used").count(), 1, "{listed}");
}

#[test]
fn an_emergency_code_opens_nothing_by_a_roster_that_expired() {
    let machine = Machine::start().unwrap();
    let mut scene = away(&machine);
    assert!(console(&scene, &[("PIN for", Person::PIN)]).status.success());
    let code = without_a_card(&scene);
    wait_for_code(&scene, true);
    weather(&scene, Weather::Refused);
    scene.site.stop_agent().unwrap();
    scene.site.clock = Some(TurnedClock::new(&machine).unwrap());
    scene.site.clock.as_ref().unwrap().turn(25 * 3600).unwrap();
    scene.site.start_agent().unwrap();
    let ending = console(&scene, &[]);
    assert!(!ending.status.success() && !ending.shown.contains(ASKS), "{}", ending.shown);
    assert!(ending.shown.contains("expired"), "{}", ending.shown);
    drop(code);
}
