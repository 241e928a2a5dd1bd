//! What comes of it when the server is back: what was used, and what should not have been.

use countersign_tests::site::{SOON, Scene, Weather, talk};
use countersign_tests::{Machine, target_bin, wait_until};

use super::{log_in_here, log_in_in_vain, log_in_online, roster, scene, weather};

const CONTACT: &str = "/var/lib/countersign/check-in.json";

/// Waits until the agent says this.
fn wait_for_log(scene: &Scene<'_>, words: &str) -> String {
    let found = wait_until(words, SOON, || {
        let log = scene.site.agent_log();
        Ok(log.lines().find(|line| line.contains(words)).map(str::to_owned))
    });
    if found.is_err() {
        println!("{}", scene.site.agent_log());
    }
    found.unwrap()
}

fn status(scene: &Scene<'_>) -> serde_json::Value {
    let mut command = scene.site.machine.command(target_bin("countersign").unwrap());
    let output = command.args(["--json", "status"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Reports that the server has not confirmed.
fn unsent(scene: &Scene<'_>) -> u64 {
    status(scene)["reports"]["unsent"].as_u64().unwrap()
}

/// Olga ends Ana's key.
pub(crate) fn revoke_ana(scene: &Scene<'_>) {
    let roster = roster::held(scene).unwrap();
    let key = roster.entries[0].accounts[0].keys[0].to_string();
    let ending = scene.olga.administer(&["admin", "key", "revoke", &key]).unwrap();
    assert!(ending.shown.contains("of account ana is revoked"), "{}", ending.shown);
}

#[test]
fn what_was_used_without_the_server_is_in_the_ledger_when_it_is_back() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine, 20);
    weather(&scene, Weather::Refused);
    log_in_here(&scene, "use 1 of 20");
    log_in_here(&scene, "use 2 of 20");
    weather(&scene, Weather::Clear);
    wait_for_log(&scene, "server-answers-again");
    wait_until("the reports", SOON, || Ok((unsent(&scene) == 0).then_some(()))).unwrap();
    let listed = scene.ledger("back.jsonl").unwrap();
    assert_eq!(listed.matches("Let in without the server").count(), 2, "{listed}");
    assert!(listed.contains("use 1 of 20") && listed.contains("use 2 of 20"), "{listed}");
    let export = scene.export("checked.jsonl").unwrap();
    let verify = scene.olga.countersign(&["ledger", "verify", &export]).unwrap();
    talk(&verify, &[], SOON).unwrap().success().unwrap();
}

/// The request is on the road while the host decides, and arrives when Ana's account is suspended.
#[test]
fn a_server_that_only_delays_its_denial_gains_nothing_beyond_the_roster() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine, 2);
    // What policy permits only with the server's word the roster does not hold: root is not hers.
    let roster = roster::held(&scene).unwrap();
    let offline: usize = roster.entries.iter().map(|entry| entry.accounts.len()).sum();
    assert_eq!(offline, 1, "{roster:?}");
    weather(&scene, Weather::Held);
    log_in_here(&scene, "use 1 of 2");
    log_in_here(&scene, "use 2 of 2");
    // Delaying for longer gains nothing: they are spent.
    log_in_in_vain(&scene, "are spent");
    weather(&scene, Weather::Clear);
    // It arrived late, or was burned before it could: either way it is known, and opened nothing more.
    let settled = wait_for_log(&scene, "request-settled");
    assert!(
        settled.contains("after this host had decided") || settled.contains("refused from now on"),
        "{settled}"
    );
    log_in_online(&scene);
}

#[test]
fn a_key_revoked_while_the_host_was_away_is_an_alarm_when_it_is_back() {
    let machine = Machine::start().unwrap();
    let mut scene = scene(&machine, 20);
    // As a host that was cut off holds them: the roster of before, and no word of a newer one.
    scene.site.stop_agent().unwrap();
    let before = std::fs::read(machine.path(roster::PATH)).unwrap();
    let issued = roster::held(&scene).unwrap().issued;
    scene.site.start_agent().unwrap();
    revoke_ana(&scene);
    roster::wait_for(&scene, |roster| roster.entries.iter().all(|entry| entry.accounts.is_empty()));
    scene.site.stop_agent().unwrap();
    let contact = std::fs::read_to_string(machine.path(CONTACT)).unwrap();
    let mut contact: serde_json::Value = serde_json::from_str(&contact).unwrap();
    contact["roster_issued"] = serde_json::to_value(issued).unwrap();
    std::fs::write(machine.path(CONTACT), contact.to_string()).unwrap();
    std::fs::write(machine.path(roster::PATH), before).unwrap();
    weather(&scene, Weather::Refused);
    scene.site.start_agent().unwrap();

    log_in_here(&scene, "use 1 of 20");
    weather(&scene, Weather::Clear);
    let disputed = wait_for_log(&scene, "offline-use-disputed");
    assert!(disputed.contains("was revoked"), "{disputed}");
    let listed = scene.ledger("disputed.jsonl").unwrap();
    assert!(listed.contains("The key of account ana was revoked on"), "{listed}");
    assert_eq!(status(&scene)["reports"]["disputed"], 1, "{}", status(&scene));
    // And nobody is let in with it any more, with the server or without.
    assert!(!log_in_or_refused(&scene));
    weather(&scene, Weather::Refused);
    assert!(!log_in_or_refused(&scene));
}

/// Whether Ana gets in; she may not even be asked for a PIN.
pub(crate) fn log_in_or_refused(scene: &Scene<'_>) -> bool {
    scene.login(&["authenticate"], &[]).is_ok_and(|ending| ending.status.success())
}
