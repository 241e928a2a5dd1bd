//! What comes of it when the server is back: what was used, and what should not have been.

use std::time::{Duration, Instant};

use countersign_tests::site::{Person, SOON, Scene, Weather};
use countersign_tests::{Machine, wait_until};

use super::{log_in, log_in_here, log_in_in_vain, log_in_online, roster, scene, weather};

const CONTACT: &str = "/var/lib/countersign/check-in.json";

/// Waits until the agent says this.
fn wait_for_log(scene: &Scene<'_>, words: &str) -> String {
    let found = wait_until(words, SOON, || {
        let log = scene.site.agent_log();
        Ok(log.lines().find(|line| line.contains(words)).map(str::to_owned))
    });
    found.unwrap_or_else(|error| panic!("{error}\n{}", scene.site.agent_log()))
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
    let told = wait_until("both uses in the ledger", SOON, || {
        let listed = scene.ledger("back.jsonl")?;
        Ok((listed.matches("Let in without the server").count() == 2).then_some(listed))
    });
    let listed = told.unwrap();
    assert!(listed.contains("use 1 of 20") && listed.contains("use 2 of 20"), "{listed}");
    let export = scene.export("checked.jsonl").unwrap();
    let verify = scene.olga.countersign(&["ledger", "verify", &export]).unwrap();
    countersign_tests::site::talk(&verify, &[], SOON).unwrap().success().unwrap();
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
    let settled = wait_for_log(&scene, "request-settled");
    assert!(settled.contains("after this host had decided by itself"), "{settled}");
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
    scene.olga.administer(&["admin", "key", "revoke", "ana", "--reason", "stolen"]).unwrap();
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
    let status =
        machine.command(countersign_tests::target_bin("countersign").unwrap()).arg("status").output();
    let shown = String::from_utf8_lossy(&status.unwrap().stdout).into_owned();
    assert!(shown.contains("disput"), "{shown}");
    // And nobody is let in with it any more, with the server or without.
    assert!(!log_in_or_refused(&scene));
    weather(&scene, Weather::Refused);
    assert!(!log_in_or_refused(&scene));
}

/// Whether Ana gets in; she may not even be asked for a PIN.
fn log_in_or_refused(scene: &Scene<'_>) -> bool {
    scene.login(&["authenticate"], &[]).is_ok_and(|ending| ending.status.success())
}

#[test]
fn a_revoked_key_is_gone_from_a_host_within_five_seconds() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine, 20);
    log_in_online(&scene);
    // Not by the check-in that comes every ten seconds anyway: three times in a row.
    let mut command =
        scene.olga.countersign(&["admin", "key", "revoke", "ana", "--reason", "stolen"]).unwrap();
    command.args(["--card", &scene.olga.card.ident()]);
    countersign_tests::site::talk(&command, &[("PIN for", Person::PIN)], SOON).unwrap().success().unwrap();
    let revoked = Instant::now();
    roster::wait_for(&scene, |roster| roster.entries.iter().all(|entry| entry.accounts.is_empty()));
    let took = revoked.elapsed();
    println!("gone from the host {:.2} s after the revocation was acknowledged", took.as_secs_f64());
    assert!(took < Duration::from_secs(5), "{took:?}");
    weather(&scene, Weather::Refused);
    assert!(!log_in_or_refused(&scene));
    let _ = log_in;
}
