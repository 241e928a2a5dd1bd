//! GnuPG and Countersign with one card, both real, in both directions.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "gnupg/keyring.rs"]
mod keyring;

use std::path::Path;
use std::time::{Duration, Instant};

use countersign_tests::site::{Ending, HostKey, Person, SERVICE, SOON, Scene, talk};
use countersign_tests::{Dialogue, Machine, Touch, User, wait_until};
use keyring::Keyring;

const AUTH: &[&str] = &["authenticate"];
const PIN: &[(&str, &str)] = &[("PIN for", Person::PIN)];

/// The reader that Ana's card is in.
const ANAS: usize = 2;

fn root() -> User {
    User { name: "root".to_owned(), uid: 0, home: "/run/home/root".into() }
}

/// Ana logs in while `holder` has her card, and is told so.
fn logs_in_past(scene: &Scene<'_>, holder: &str) -> Ending {
    let ending = scene.ana_logs_in().unwrap();
    let shown = &ending.shown;
    let [before, after] = ["GnuPG (scdaemon, process ", "when asked, and has it again when it is next used"];
    let thanks = shown.lines().find(|line| line.contains(after)).ok_or(shown).unwrap();
    assert!(
        thanks.starts_with(before) && thanks.contains(&format!(") of {holder} let go of card ")),
        "{shown}"
    );
    ending
}

#[test]
fn login_while_gpg_has_the_card_works_and_gpg_works_again_at_once_and_again_and_again() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let gpg = Keyring::of(&machine, &scene.ana.user, &scene.ana.card);
    gpg.import_known(&machine);
    for round in 0..3 {
        gpg.has_the_card();
        logs_in_past(&scene, "ana");
        gpg.has_the_card();
        logs_in_past(&scene, "ana");
        gpg.signs(&format!("round {round}"));
    }
    logs_in_past(&scene, "ana");
    gpg.signs("at the end");
}

#[test]
fn gpg_has_the_card_at_once_after_a_login_that_had_nobody_to_ask() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let gpg = Keyring::of(&machine, &scene.ana.user, &scene.ana.card);
    for _ in 0..5 {
        let ending = scene.ana_logs_in().unwrap();
        assert!(!ending.shown.contains("GnuPG"), "{}", ending.shown);
        gpg.has_the_card();
        gpg.ends();
    }
}

#[test]
fn another_persons_gpg_and_roots_are_asked_as_them() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let bob = machine.add_user("bob", 4300).unwrap();
    // Where GnuPG's sockets are on a machine with logind.
    let runtime = machine.path("/run/user/4300");
    std::fs::create_dir_all(&runtime).unwrap();
    std::os::unix::fs::chown(&runtime, Some(4300), Some(4300)).unwrap();
    std::fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    for user in [bob, root()] {
        let gpg = Keyring::of(&machine, &user, &scene.ana.card);
        for _ in 0..2 {
            gpg.has_the_card();
            logs_in_past(&scene, &user.name);
        }
        gpg.has_the_card();
        assert_eq!(runtime.join("gnupg/S.scdaemon").exists(), user.uid != 0);
        gpg.ends();
    }
}

#[test]
fn a_card_that_gpg_had_before_the_agent_came_is_read_for_a_login_and_for_a_list() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let gpg = Keyring::of(&machine, &scene.ana.user, &scene.ana.card);
    scene.site.stop_agent().unwrap();
    gpg.has_the_card();
    scene.site.start_agent().unwrap();
    let ending = scene.ana_logs_in().unwrap();
    assert!(ending.shown.contains("GnuPG (scdaemon, process "), "{}", ending.shown);
    assert!(!ending.shown.contains("Insert"), "{}", ending.shown);

    scene.site.stop_agent().unwrap();
    gpg.has_the_card();
    scene.site.start_agent().unwrap();
    let list = scene.ana.countersign(&["card", "list"]).unwrap();
    let ending = talk(&list, &[], SOON).unwrap().success().unwrap();
    assert!(ending.shown.contains(&scene.ana.card.ident()), "{}", ending.shown);
    gpg.has_the_card();
}

#[test]
fn roots_gpg_does_not_keep_the_host_from_its_own_card() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Card).unwrap();
    let gpg = Keyring::of(&machine, &root(), scene.site.host_card.as_ref().unwrap());
    // Without session keys the host cannot speak: it needs its card for them.
    scene.site.stop_agent().unwrap();
    gpg.has_the_card();
    scene.site.start_agent().unwrap();
    scene.ana_logs_in().unwrap();
    gpg.has_the_card();
}

#[test]
fn a_program_that_never_lets_go_is_waited_for_in_vain_and_named() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let bob = machine.add_user("bob", 4300).unwrap();
    let holder = machine.hold_card(&bob, ANAS).unwrap();
    scene.ana.card.reset_counts().unwrap();
    let begun = Instant::now();
    let ending = scene.login(AUTH, PIN).unwrap();
    let took = begun.elapsed();
    assert!(!ending.status.success(), "{}", ending.shown);
    assert!(took > Duration::from_secs(4) && took < Duration::from_secs(15), "{took:?}");
    // The kernel keeps fifteen letters of a program's name.
    assert!(ending.shown.contains("program countersign-pcs (process "), "{}", ending.shown);
    assert!(ending.shown.contains("of bob has the card and does not let go"), "{}", ending.shown);
    assert_eq!(scene.ana.card.counts().unwrap().of("VERIFY"), 0, "no try was spent");
    let logged = wait_until("the reason in the log", SOON, || {
        let log = scene.site.agent_log();
        Ok(log.lines().rfind(|line| line.contains("login-denied")).map(str::to_owned))
    });
    assert!(logged.unwrap().contains("Busy"));
    drop(holder);
    scene.ana_logs_in().unwrap();
}

/// A copy of the agent that could be stopped before it is the visitor would keep the agent, and the card's turn.
#[test]
fn a_user_who_stops_whatever_is_theirs_all_the_time_holds_up_nobody() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    // Nobody else's number: the signals go to every process that has it.
    let mallory = machine.add_user("mallory", 4399).unwrap();
    let holder = machine.hold_card(&mallory, ANAS).unwrap();
    let mut stops = machine.command_as(&mallory, "sh");
    let stops = machine.spawn("stops", stops.args(["-c", "while :; do kill -STOP -1; done"])).unwrap();
    for _ in 0..4 {
        let begun = Instant::now();
        let ending = scene.login(AUTH, PIN).unwrap();
        let took = begun.elapsed();
        assert!(!ending.status.success() && took < Duration::from_secs(15), "{took:?} {}", ending.shown);
        assert!(ending.shown.contains("of mallory"), "{}", ending.shown);
        // The next one gets a new visitor.
        drop(machine.command("pkill").args(["-KILL", "-u", "4399", "-f", "--", "--visit"]).status());
    }
    drop((stops, holder));
    scene.ana_logs_in().unwrap();
}

#[test]
fn a_program_that_lets_go_soon_is_waited_for() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let bob = machine.add_user("bob", 4300).unwrap();
    let mut holder = machine.hold_card(&bob, ANAS).unwrap();
    let mut login = scene.console.command("pamtester");
    login.args([SERVICE, "ana", "authenticate"]);
    let mut login = Dialogue::start(&login).unwrap();
    login.expect("PIN for", SOON).unwrap();
    login.send_line(Person::PIN).unwrap();
    login.expect("of bob has", SOON).unwrap();
    login.expect("Waiting until it lets go", SOON).unwrap();
    holder.send(b"\x04").unwrap();
    login.expect("let go of", SOON).unwrap();
    login.expect_eof(SOON).unwrap();
    assert!(login.wait(SOON).unwrap().success(), "{}", login.transcript());
}

#[test]
fn a_scdaemon_held_still_costs_a_bounded_time_and_its_gpg_agent_none() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let gpg = Keyring::of(&machine, &scene.ana.user, &scene.ana.card);
    gpg.has_the_card();
    gpg.signal("gpg-agent", "STOP");
    logs_in_past(&scene, "ana");
    gpg.signal("gpg-agent", "CONT");

    gpg.has_the_card();
    gpg.signal("scdaemon", "STOP");
    let begun = Instant::now();
    let ending = scene.login(AUTH, PIN).unwrap();
    let took = begun.elapsed();
    assert!(!ending.status.success() && took < Duration::from_secs(15), "{took:?} {}", ending.shown);
    // Debian's hides its descriptors: all that is known then is whose program it is.
    assert!(ending.shown.contains("of ana has the card and"), "{}", ending.shown);
    assert!(ending.shown.contains("gpgconf --kill scdaemon"), "{}", ending.shown);
    gpg.signal("scdaemon", "CONT");
    logs_in_past(&scene, "ana");
    gpg.has_the_card();
}

#[test]
fn a_touch_that_gpg_waits_for_is_gpgs_and_the_login_comes_after_it() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let gpg = Keyring::of(&machine, &scene.ana.user, &scene.ana.card);
    scene.ana.needs_touch(&machine, ANAS).unwrap();
    gpg.import_known(&machine);
    let card = &scene.ana.card;
    card.touch(Touch::Require).unwrap();
    std::thread::scope(|scope| {
        let signing = scope.spawn(|| gpg.signs("with a touch"));
        card.wait_until_it_asks_for_a_touch(SOON).unwrap();
        let login = scope.spawn(|| scene.login(AUTH, PIN));
        wait_until("the scdaemon to be asked", SOON, || Ok(gpg.visitors().first().map(|_| ()))).unwrap();
        card.touch(Touch::Grant).unwrap();
        signing.join().unwrap();
        card.touch(Touch::Off).unwrap();
        let ending = login.join().unwrap().unwrap();
        assert!(ending.status.success(), "{}", ending.shown);
    });
}

#[test]
fn the_visitor_is_its_users_and_has_nothing_of_the_agents() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let gpg = Keyring::of(&machine, &scene.ana.user, &scene.ana.card);
    gpg.has_the_card();
    gpg.signal("scdaemon", "STOP");
    std::thread::scope(|scope| {
        let login = scope.spawn(|| scene.login(AUTH, PIN).unwrap());
        let status = wait_until("a visitor", SOON, || {
            Ok(gpg.visitors().iter().find_map(|process| std::fs::read_to_string(process.join("status")).ok()))
        })
        .unwrap();
        let of =
            |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
        assert_eq!(of("Uid:"), "4201\t4201\t4201\t4201");
        assert_eq!(of("Gid:"), "4201\t4201\t4201\t4201");
        assert_eq!(of("Groups:"), "");
        assert_eq!(of("NoNewPrivs:"), "1");
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert_eq!(of(set), "0000000000000000", "{set}");
        }
        assert!(!login.join().unwrap().status.success());
    });
    gpg.signal("scdaemon", "CONT");
    wait_until("the visitor to end", SOON, || Ok(gpg.visitors().is_empty().then_some(()))).unwrap();
}

#[test]
fn a_visitor_that_its_user_stops_holds_up_nobody() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let gpg = Keyring::of(&machine, &scene.ana.user, &scene.ana.card);
    gpg.has_the_card();
    gpg.signal("scdaemon", "STOP");
    let stopped = std::thread::scope(|scope| {
        let login = scope.spawn(|| scene.login(AUTH, PIN).unwrap());
        let visitor = wait_until("a visitor", SOON, || Ok(gpg.visitors().pop())).unwrap();
        gpg.signal_process(&visitor, "STOP");
        let ending = login.join().unwrap();
        assert!(!ending.status.success(), "{}", ending.shown);
        visitor
    });
    gpg.signal("scdaemon", "CONT");
    // There is no second one of ana's while this one is there …
    let begun = Instant::now();
    let ending = scene.login(AUTH, PIN).unwrap();
    assert!(!ending.status.success() && begun.elapsed() < Duration::from_secs(15), "{}", ending.shown);
    assert_eq!(gpg.visitors().len(), 1);
    // … and when it ends, everything is as before.
    gpg.signal_process(&stopped, "KILL");
    wait_until("the visitor to end", SOON, || Ok((!Path::new(&stopped).exists()).then_some(()))).unwrap();
    logs_in_past(&scene, "ana");
}
