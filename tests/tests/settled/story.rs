//! What the reference that a failed login shows leads to.

use countersign_tests::site::{HostKey, Person, SERVICE, SOON, Scene, Weather, talk};
use countersign_tests::{Machine, SessionSpec, target_bin};

use super::records::{journal, status};
use super::{PIN, scene, weather};

/// The reference behind a denial.
fn reference(shown: &str) -> String {
    let (_, after) = shown.rsplit_once("(Reference: ").unwrap_or_else(|| panic!("no reference: {shown}"));
    after.chars().take(9).collect()
}

/// What `countersign journal --correlation` says to this command's caller, and how it ends.
fn story(command: &mut std::process::Command, id: &str) -> (Option<i32>, String) {
    let ending = talk(command.args(["journal", "--correlation", id]), &[], SOON).unwrap();
    (ending.code(), ending.shown.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn the_reference_of_every_failed_login_tells_what_happened() {
    let machine = Machine::start().unwrap();
    let scene = scene(&machine);
    let root = || machine.command(target_bin("countersign").unwrap());
    let failing = |login: &str, answers: &[(&str, &str)]| {
        let mut command = scene.console.command("pamtester");
        command.args([SERVICE, login, "authenticate"]);
        let ending = talk(&command, answers, SOON).unwrap();
        assert_ne!(ending.code(), Some(0), "{}", ending.shown);
        reference(&ending.shown)
    };

    let wrong = failing("ana", &[("PIN for", "999999")]);
    let (code, told) = story(&mut root(), &wrong);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(&format!("{wrong} is a login as ana through {SERVICE}")), "{told}");
    assert!(told.contains("wrong pin") && told.contains("Wrong PIN. 2 tries left."), "{told}");
    assert!(told.contains(&scene.ana.card.ident()), "{told}");
    // Ana may read her own story, and nobody else's.
    assert_eq!(story(&mut scene.ana.countersign(&[]).unwrap(), &wrong).0, Some(0));
    let (code, told) = story(&mut scene.olga.countersign(&[]).unwrap(), &wrong);
    assert_eq!(code, Some(1), "{told}");

    scene.site.manage("user ana card\nuser olga card\nuser nemo card\n").unwrap();
    machine.add_user("nemo", 4900).unwrap();
    let nobody = failing("nemo", &[]);
    let (_, told) = story(&mut root(), &nobody);
    assert!(told.contains("This host denied it.") && told.contains("No account may open nemo"), "{told}");
    assert!(told.contains("because policy"), "{told}");

    weather(&scene, Weather::Refused);
    let silent = failing("ana", &PIN);
    let (_, told) = story(&mut root(), &silent);
    assert!(told.contains("no answer") && told.contains("The server cannot be reached"), "{told}");
    assert!(told.contains("not in the server's ledger yet"), "{told}");
    weather(&scene, Weather::Clear);
    super::all_is_settled(&scene);
    let (_, told) = story(&mut root(), &silent);
    assert!(told.contains("It never reached the server, and never will."), "{told}");
    assert!(!told.contains("not in the server's ledger yet"), "{told}");

    let away = machine.session(SessionSpec::remote("r1", &scene.ana.user, "192.0.2.7")).unwrap();
    let mut inside = away.command("pamtester");
    let ending = talk(inside.args([SERVICE, "ana", "authenticate"]), &[], SOON).unwrap();
    let (_, told) = story(&mut root(), &reference(&ending.shown));
    assert!(told.contains("remote session"), "{told}");
}

#[test]
fn a_login_is_in_the_journal_of_who_logged_in_and_of_root_and_of_nobody_else() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana_logs_in().unwrap();
    let listed = |person: &Person<'_>| {
        talk(&person.countersign(&["journal"]).unwrap(), &[], SOON).unwrap().success().unwrap().shown
    };
    assert!(listed(&scene.ana).contains("login allowed"), "{}", listed(&scene.ana));
    // Her own administration, and nothing of Ana.
    let olgas = listed(&scene.olga);
    assert!(olgas.contains("request allowed") && !olgas.contains("ana,"), "{olgas}");
    let all = journal(&scene, &[]);
    let allowed = all.iter().find(|entry| entry["event"] == "login-allowed").unwrap();
    assert!(allowed["ledger_index"].is_u64(), "{allowed}");
    // In `status`, too.
    let own = talk(&scene.olga.countersign(&["status"]).unwrap(), &[], SOON).unwrap().shown;
    assert!(own.contains("request allowed") && !own.contains("ana, countersign"), "{own}");
    let told = status(&scene);
    let decisions = told["decisions"].as_array().unwrap();
    assert!(decisions.iter().any(|entry| entry["event"] == "login-allowed"), "{told}");
}

#[test]
fn a_journal_that_somebody_changed_is_told_by_verify_and_by_status() {
    let machine = Machine::start().unwrap();
    let mut scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.ana_logs_in().unwrap();
    let verify = |scene: &Scene<'_>| {
        let mut command = scene.site.machine.command(target_bin("countersign").unwrap());
        talk(command.args(["journal", "--verify"]), &[], SOON).unwrap()
    };
    assert_eq!(verify(&scene).code(), Some(0));
    scene.site.stop_agent().unwrap();
    let inside = |more: &str| machine.path(format!("/var/lib/countersign/journal.sqlite{more}"));
    let copy = machine.scratch().join("journal.sqlite");
    std::fs::copy(inside(""), &copy).unwrap();
    std::fs::copy(inside("-wal"), copy.with_extension("sqlite-wal")).unwrap();
    let database = rusqlite::Connection::open(&copy).unwrap();
    let forged = "UPDATE journal SET entry = replace(entry, 'login-allowed', 'login-denied')";
    assert!(database.execute(forged, []).unwrap() > 0);
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE").unwrap();
    drop(database);
    std::fs::copy(&copy, inside("")).unwrap();
    for more in ["-wal", "-shm"] {
        std::fs::remove_file(inside(more)).unwrap();
    }
    scene.site.start_agent().unwrap();
    let ending = verify(&scene);
    assert_eq!(ending.code(), Some(9), "{}", ending.shown);
    assert!(ending.shown.contains("was changed or removed"), "{}", ending.shown);
    let told = status(&scene);
    assert!(told["journal"]["problem"].as_str().unwrap().contains("changed"), "{told}");
    let ordinary = talk(&scene.ana.countersign(&["journal", "--verify"]).unwrap(), &[], SOON).unwrap();
    assert_eq!(ordinary.code(), Some(7), "the check is root's: {}", ordinary.shown);
}
