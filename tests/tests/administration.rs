//! Enrolment, administration and the ledger, with the commands an administrator types.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use countersign_tests::site::{HostKey, KEY_GENERATION, Person, SOON, Scene, Site, talk};
use countersign_tests::{CardSpec, Machine, SessionSpec, target_bin};

fn replaced(arguments: &[String], after: &str, with: &str) -> Vec<String> {
    let mut changed = arguments.to_vec();
    let at = changed.iter().position(|argument| argument == after).unwrap();
    *changed.get_mut(at + 1).unwrap() = with.to_owned();
    changed
}

#[test]
fn enrolment_demands_the_servers_own_fingerprint() {
    let machine = Machine::start().unwrap();
    let mut site = Site::new(&machine, 1, HostKey::Sealed).unwrap();
    site.server.start(&machine).unwrap();
    site.start_agent().unwrap();
    let other = "0123456789ABCDEF0123456789ABCDEF01234567";
    let mut command = machine.command(target_bin("countersign").unwrap());
    command.args(replaced(&site.enroll_arguments(), "--server-fingerprint", other));
    let ending = talk(&command, &[], SOON).unwrap();
    assert!(!ending.status.success());
    assert!(ending.shown.contains("another server"), "{}", ending.shown);
    // And nothing was changed by it.
    site.enroll().unwrap();
}

#[test]
fn enrolment_is_for_root_only_and_happens_once() {
    let machine = Machine::start().unwrap();
    let site = Site::enrolled(&machine, 1, HostKey::Sealed).unwrap();
    let ana = site.person("ana", 4201, 1).unwrap();
    let arguments = site.enroll_arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let copy = machine.scratch().join("bundle.json");
    let mut install = machine.command("install");
    install.args(["-o", "ana", "-m", "600", &site.server.bundle]).arg(&copy);
    talk(&install, &[], SOON).unwrap().success().unwrap();
    let owned: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let as_ana = replaced(&owned, "--bundle", &copy.to_string_lossy());
    let as_ana: Vec<&str> = as_ana.iter().map(String::as_str).collect();
    let ending = talk(&ana.countersign(&as_ana).unwrap(), &[], SOON).unwrap();
    assert!(!ending.status.success(), "{}", ending.shown);

    let mut again = machine.command(target_bin("countersign").unwrap());
    again.args(&arguments);
    let ending = talk(&again, &[], SOON).unwrap();
    assert!(!ending.status.success());
    assert!(ending.shown.contains("already"), "{}", ending.shown);
}

#[test]
fn interrupted_enrolment_is_taken_up_again_with_the_same_command() {
    for key in [HostKey::Sealed, HostKey::Card] {
        let machine = Machine::start().unwrap();
        let mut site = Site::new(&machine, 1, key).unwrap();
        site.start_agent().unwrap();
        let mut command = machine.command(target_bin("countersign").unwrap());
        command.args(site.enroll_arguments());
        let ending = talk(&command, site.enroll_answers(), KEY_GENERATION).unwrap();
        assert_eq!(ending.code(), Some(5), "{}", ending.shown);

        site.server.start(&machine).unwrap();
        let ending = talk(&command, &[], KEY_GENERATION).unwrap().success().unwrap();
        assert!(ending.shown.contains("enrolled and active"), "{}", ending.shown);
    }
}

#[test]
fn host_without_a_token_waits_for_an_administrator_who_names_its_key_words() {
    let first = Machine::start().unwrap();
    let scene = Scene::on(&first, HostKey::Sealed).unwrap();
    let made = first.scratch().join("olga");
    let mut make = first.command("install");
    make.args(["-d", "-o", "olga", "-m", "700"]).arg(&made);
    talk(&make, &[], SOON).unwrap().success().unwrap();
    let bundle = made.join("second.json");
    let bundle = bundle.to_string_lossy().into_owned();
    scene.olga.administer(&["admin", "application", "add", "second", "--out", &bundle]).unwrap();

    // Another machine, the same server.
    let second = Machine::start().unwrap();
    let mut site = Site::new(&second, 1, HostKey::Sealed).unwrap();
    site.start_agent().unwrap();
    let text = std::fs::read_to_string(&bundle).unwrap();
    second.write("/root/second.json", &text, 0o600).unwrap();
    let mut enroll = second.command(target_bin("countersign").unwrap());
    enroll.args(["enroll", "--server-fingerprint", &scene.site.server.fingerprint]);
    enroll.args(["--bundle", "/root/second.json", "--sealed"]);
    let ending = talk(&enroll, &[], KEY_GENERATION).unwrap().success().unwrap();
    assert!(ending.shown.contains("pending"), "{}", ending.shown);
    let words = ending.after("key words").unwrap();

    // Until then nobody can do anything from it.
    let eve = site.person("eve", 4400, 1).unwrap();
    let ending = eve.register("admin", "0000-0000").unwrap_err().to_string();
    assert!(ending.contains("approve") || ending.contains("pending"), "{ending}");

    scene.olga.administer(&["admin", "host", "approve", &words]).unwrap();
    let mut status = second.command(target_bin("countersign").unwrap());
    status.args(["status", "--json"]);
    countersign_tests::wait_until("the approval to arrive", KEY_GENERATION, || {
        let shown = talk(&status, &[], SOON)?.shown;
        Ok(shown.contains("\"active\"").then_some(()))
    })
    .unwrap();
}

#[test]
fn card_with_keys_of_its_own_keeps_them_when_it_is_adopted() {
    let kept = tempfile::tempdir().unwrap();
    let spec = || CardSpec::new("00005EED").kept_in(kept.path());

    // Carla's card gets its keys at one site; her certificate lies in that site's ledger.
    let first = Machine::start().unwrap();
    let site = Site::enrolled(&first, 1, HostKey::Sealed).unwrap();
    let user = first.add_user("carla", 4500).unwrap();
    let seat = first.session(SessionSpec::local("c1", &user)).unwrap();
    let card = first.card(1, spec()).unwrap();
    card.wait_until_seen().unwrap();
    let carla = Person { user, seat, card };
    carla.register(&site.server.administrator, &site.server.code).unwrap();
    let folder = first.scratch().join("carla");
    let mut make = first.command("install");
    make.args(["-d", "-o", "carla", "-m", "700"]).arg(&folder);
    talk(&make, &[], SOON).unwrap().success().unwrap();
    let export = folder.join("ledger.jsonl").to_string_lossy().into_owned();
    carla.administer(&["ledger", "export", &export]).unwrap();
    let out = folder.join("evidence").to_string_lossy().into_owned();
    let show = talk(&carla.countersign(&["ledger", "show", &export]).unwrap(), &[], SOON).unwrap().shown;
    let signed = show.lines().find(|line| line.contains("signed")).unwrap();
    let entry = signed.split_whitespace().next().unwrap();
    let take = ["ledger", "evidence", &export, "--entry", entry, "--out", &out];
    talk(&carla.countersign(&take).unwrap(), &[], SOON).unwrap().success().unwrap();
    let certificate = std::fs::read_to_string(format!("{out}/certificate.asc")).unwrap();
    drop(carla);

    // The same card, with the keys that are on it, at another site.
    let second = Machine::start().unwrap();
    let site = Site::enrolled(&second, 1, HostKey::Sealed).unwrap();
    let user = second.add_user("carla", 4500).unwrap();
    let seat = second.session(SessionSpec::local("c1", &user)).unwrap();
    let card = second.card(1, spec()).unwrap();
    card.wait_until_seen().unwrap();
    let carla = Person { user, seat, card };
    second.write("/home/carla.asc", &certificate, 0o644).unwrap();

    // New keys are refused on a card that has some: they would be lost.
    let generate = carla.countersign(&["register", &site.server.administrator]).unwrap();
    let ending = talk(&generate, &[], SOON).unwrap();
    assert!(!ending.status.success());
    assert!(ending.shown.contains("--adopt"), "{}", ending.shown);

    let adopt = ["register", &site.server.administrator, "--adopt", "/home/carla.asc"];
    let code = site.server.code.as_str();
    let answers = [("One-time code", code), ("PIN for", Person::PIN), ("Register a second card now", "n")];
    talk(&carla.countersign(&adopt).unwrap(), &answers, SOON).unwrap().success().unwrap();
    carla.administer(&["admin", "user", "add", "dora"]).unwrap();
}

#[test]
fn who_is_no_administrator_administers_nothing_and_hears_the_same_of_what_is_not_there() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let ident = scene.ana.card.ident();
    for arguments in [["admin", "user", "add", "mallory"], ["admin", "user", "add", "olga"]] {
        let mut all = arguments.to_vec();
        all.extend(["--card", ident.as_str()]);
        let command = scene.ana.countersign(&all).unwrap();
        let ending = talk(&command, &[("PIN for", Person::PIN)], SOON).unwrap();
        assert_eq!(ending.code(), Some(3), "{}", ending.shown);
        assert!(ending.shown.contains("No policy"), "{}", ending.shown);
    }
}

#[test]
fn ledger_lists_everything_verifies_and_gpg_agrees() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Card).unwrap();
    scene.ana_logs_in().unwrap();
    scene.login(&["authenticate"], &[("PIN for", "999999")]).unwrap();
    let export = scene.export("all.jsonl").unwrap();
    let show = scene.olga.countersign(&["ledger", "show", &export]).unwrap();
    let listed = talk(&show, &[], SOON).unwrap().success().unwrap().shown;
    for expected in [
        "server initialised",
        "host enrolled",
        "create account/ana",
        "card registered",
        "log in as ana through",
        "Wrong PIN. 2 tries left.",
    ] {
        assert!(listed.contains(expected), "no {expected}:\n{listed}");
    }
    let verify = scene.olga.countersign(&["ledger", "verify", &export]).unwrap();
    talk(&verify, &[], SOON).unwrap().success().unwrap();

    let entry = listed
        .lines()
        .find(|line| line.contains("log in as ana through"))
        .and_then(|line| line.split_whitespace().next())
        .unwrap()
        .trim_matches(|c: char| !c.is_ascii_digit())
        .to_owned();
    let out = machine.scratch().join("olga/evidence").to_string_lossy().into_owned();
    let take =
        scene.olga.countersign(&["ledger", "evidence", &export, "--entry", &entry, "--out", &out]).unwrap();
    talk(&take, &[], SOON).unwrap().success().unwrap();
    let home = machine.scratch().join("olga/gnupg").to_string_lossy().into_owned();
    let script = format!(
        "install -d -m 700 {home}; export GNUPGHOME={home}; gpg --batch --import {out}/certificate.asc && \
         gpg --batch --verify {out}/statement.json.sig {out}/statement.json; code=$?; gpgconf --kill all; exit $code"
    );
    let mut gpg = machine.command_as(&scene.olga.user, "sh");
    gpg.args(["-c", &script]);
    let ending = talk(&gpg, &[], SOON).unwrap().success().unwrap();
    assert!(ending.shown.contains("Good signature"), "{}", ending.shown);

    // One changed letter, and it does not verify.
    let text = std::fs::read_to_string(&export).unwrap();
    let at = text.rfind("\"entry\":\"").unwrap() + 30;
    let mut bytes = text.into_bytes();
    let letter = bytes.get_mut(at).unwrap();
    *letter = if *letter == b'A' { b'B' } else { b'A' };
    std::fs::write(&export, bytes).unwrap();
    let ending = talk(&verify, &[], SOON).unwrap();
    assert_eq!(ending.code(), Some(9), "{}", ending.shown);
}

#[test]
fn status_and_card_list_say_how_things_stand() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Card).unwrap();
    let status = talk(&scene.ana.countersign(&["status"]).unwrap(), &[], SOON).unwrap().success().unwrap();
    for expected in ["active", &scene.site.server.url, "ana"] {
        assert!(status.shown.contains(expected), "no {expected}:\n{}", status.shown);
    }
    let cards = talk(&scene.ana.countersign(&["card", "list"]).unwrap(), &[], SOON).unwrap();
    let cards = cards.success().unwrap();
    for expected in [scene.ana.card.ident().as_str(), "3 tries left", "ana"] {
        assert!(cards.shown.contains(expected), "no {expected}:\n{}", cards.shown);
    }
    // The host's own card is root's business.
    assert!(!cards.shown.contains("FFFE:00000001"), "{}", cards.shown);
    let mut as_root = machine.command(target_bin("countersign").unwrap());
    as_root.args(["card", "list", "--socket", "/run/countersign/pam.sock"]);
    let cards = talk(&as_root, &[], SOON).unwrap();
    assert!(cards.shown.contains("FFFE:00000001"), "{}", cards.shown);
}
