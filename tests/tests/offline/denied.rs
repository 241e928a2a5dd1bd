//! What this host does not decide by itself, and what it says then.

use std::path::Path;

use countersign_tests::Machine;
use countersign_tests::site::{SOON, Weather, talk};

use super::{
    Timed, forbidding_scene, log_in, log_in_here, log_in_in_vain, log_in_online, ready, roster, scene,
    weather,
};

const STATE: &str = "/var/lib/countersign";

#[test]
fn uses_are_counted_down_and_then_denied_until_the_server_was_there_again() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine, 2);
    weather(&scene, Weather::Refused);
    log_in_here(&scene, "use 1 of 2");
    log_in_here(&scene, "use 2 of 2");
    log_in_in_vain(&scene, "all 2 uses that this account has without it are spent");
    let spent = roster::held(&scene).unwrap().issued;
    weather(&scene, Weather::Clear);
    log_in_online(&scene);
    roster::wait_for(&scene, |roster| roster.issued > spent);
    weather(&scene, Weather::Refused);
    log_in_here(&scene, "use 1 of 2");
}

#[test]
fn host_that_cannot_use_its_key_decides_by_its_roster_and_reads_the_key_again() {
    let machine = Machine::start().unwrap();
    let mut scene = scene(&machine, 9);
    weather(&scene, Weather::Refused);
    scene.site.stop_agent().unwrap();
    let names = std::fs::read_dir(machine.path(STATE)).unwrap().map(|entry| entry.unwrap().path());
    let is_key = |path: &std::path::PathBuf| path.to_string_lossy().contains("/instance-");
    let keys: Vec<_> = names.filter(is_key).collect();
    assert_eq!(keys.len(), 1);
    let away = machine.scratch().join("key");
    std::fs::copy(&keys[0], &away).unwrap();
    std::fs::remove_file(&keys[0]).unwrap();
    scene.site.start_agent().unwrap();
    log_in_here(&scene, "use 1 of 9");
    // Also if the server would be there: nothing can be said to it.
    weather(&scene, Weather::Clear);
    log_in_here(&scene, "use 2 of 9");
    // As after a TPM that took its time.
    std::fs::copy(&away, &keys[0]).unwrap();
    log_in_online(&scene);
}

#[test]
fn an_agent_that_is_killed_or_restarted_while_the_server_is_away_loses_no_count() {
    let machine = Machine::start().unwrap();
    let mut scene = scene(&machine, 4);
    weather(&scene, Weather::Refused);
    log_in_here(&scene, "use 1 of 4");
    scene.site.agent.take().unwrap().kill().unwrap();
    scene.site.start_agent().unwrap();
    log_in_here(&scene, "use 2 of 4");
    scene.site.stop_agent().unwrap();
    scene.site.start_agent().unwrap();
    log_in_here(&scene, "use 3 of 4");
}

/// Each point lies before or after a commit of the journal. Whoever was let in was counted; a count that let nobody in
/// is lost to the person, never to the server.
#[test]
fn an_agent_killed_at_any_write_of_a_login_without_the_server_loses_no_count() {
    let machine = Machine::start().unwrap();
    let mut scene = scene(&machine, 100);
    weather(&scene, Weather::Refused);
    let number = |login: &Timed| -> u32 {
        let (_, rest) = login.shown.split_once("(use ").unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    let (mut last, mut lost, mut point) = (0, 0, 0);
    loop {
        point += 1;
        scene.site.stop_agent().unwrap();
        scene.site.start_agent_with(&["--crash-at-journal-point", &point.to_string()]).unwrap();
        let login = log_in(&scene);
        let agent = scene.site.agent.as_mut().unwrap();
        // Its connections are closed a moment before it is gone.
        let died = if login.let_in { agent.ended().unwrap().is_some() } else { agent.wait(SOON).is_ok() };
        assert_eq!(login.let_in, !died, "{}", login.shown);
        scene.site.agent = None;
        scene.site.start_agent().unwrap();
        let next = log_in_here(&scene, "of 100");
        let used = if login.let_in { number(&login) } else { last };
        assert!(used >= last && number(&next) > used, "{used} after {last}, then {}", number(&next));
        lost += number(&next) - used - 1;
        last = number(&next);
        if !died {
            break;
        }
    }
    println!("killed at {} points; {lost} uses counted for logins that were not told", point - 1);
    assert!(point > 2 && lost >= 1, "{point} points, {lost} lost");
}

#[test]
fn what_policy_does_not_permit_without_the_server_is_denied_and_says_so() {
    let machine = Machine::start().unwrap();
    let scene = forbidding_scene(&machine);
    weather(&scene, Weather::Refused);
    let login = log_in_in_vain(&scene, "The server cannot be reached, and the policy does not permit");
    assert!(login.shown.contains("Reference"), "{}", login.shown);
}

#[test]
fn a_roster_that_was_changed_or_taken_away_lets_nobody_in() {
    let machine = Machine::start().unwrap();
    let mut scene = scene(&machine, 20);
    weather(&scene, Weather::Refused);
    log_in_here(&scene, "use 1 of 20");
    let file = machine.path(roster::PATH);
    let text = std::fs::read_to_string(&file).unwrap();
    // One letter of the signed part.
    let at = text.find(":\"").unwrap() + 40;
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
    for spoiled in [Some(changed), None] {
        scene.site.stop_agent().unwrap();
        match &spoiled {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        scene.site.start_agent().unwrap();
        let ending = scene.login(&["authenticate"], &[]).unwrap();
        assert!(!ending.status.success(), "{}", ending.shown);
        assert!(ending.shown.contains("holds no roster"), "{}", ending.shown);
        if spoiled.is_some() {
            assert!(scene.site.agent_log().contains("roster-refused"), "{}", scene.site.agent_log());
        }
    }
    weather(&scene, Weather::Clear);
    log_in_online(&scene);
}

#[test]
fn a_journal_that_cannot_be_written_lets_nobody_in_without_the_server() {
    let machine = Machine::start().unwrap();
    let mut scene = scene(&machine, 20);
    scene.site.stop_agent().unwrap();
    let journal = machine.path(Path::new(STATE).join("journal.sqlite"));
    for more in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{more}", journal.display()));
    }
    std::fs::create_dir(&journal).unwrap();
    scene.site.start_agent().unwrap();
    log_in_online(&scene);
    weather(&scene, Weather::Refused);
    log_in_in_vain(&scene, "cannot be written down here first");

    // A new one has not counted what was used: the roster that was held is barred, the next one is not.
    scene.site.stop_agent().unwrap();
    std::fs::remove_dir(&journal).unwrap();
    scene.site.start_agent().unwrap();
    log_in_in_vain(&scene, "the journal that counted the uses was lost");
    let held = roster::held(&scene).unwrap().issued;
    weather(&scene, Weather::Clear);
    roster::wait_for(&scene, |roster| roster.issued > held);
    weather(&scene, Weather::Refused);
    log_in_here(&scene, "use 1 of 20");
}

#[test]
fn a_no_of_the_server_is_the_last_word() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine, 20);
    ready(&scene, 20);
    scene.olga.administer(&["admin", "user", "suspend", "ana"]).unwrap();
    let ending =
        talk(scene.console.command("pamtester").args([super::SERVICE, "ana", "authenticate"]), &[], SOON);
    let shown = ending.map_or_else(|error| error.to_string(), |ending| ending.shown);
    assert!(!shown.contains(super::BY_ITSELF), "{shown}");
}
