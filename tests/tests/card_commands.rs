//! Looking after a card with the commands of `countersign card`, typed at a terminal, against the real agent, server
//! and pcscd; and gpg's opinion of the card afterwards.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::time::{Duration, Instant};

use countersign_tests::site::{
    Ending, HostKey, KEY_GENERATION, Person, SERVICE, SILENT_REST, SOON, Scene, Site, stack, talk,
};
use countersign_tests::{Dialogue, Machine, ServiceHandle, SessionSpec, Touch, WebServer, target_bin};

const PIN: &str = Person::PIN;
const ADMIN_PIN: &str = Person::ADMIN_PIN;
const NEW: &str = "161803";
const NEW_PINS: [(&str, &str); 4] = [
    ("New PIN (", PIN),
    ("New PIN again", PIN),
    ("New admin PIN (", ADMIN_PIN),
    ("New admin PIN again", ADMIN_PIN),
];

/// `countersign card …` at the person's seat, with what is asked and answered.
fn card(person: &Person<'_>, words: &[&str], answers: &[(&str, &str)]) -> Ending {
    let command = person.countersign(&[&["card"], words].concat()).unwrap();
    talk(&command, answers, KEY_GENERATION).unwrap()
}

#[track_caller]
fn done(ending: Ending) -> String {
    ending.success().unwrap().shown
}

#[track_caller]
fn refused(ending: &Ending, code: i32, words: &[&str]) {
    assert_eq!(ending.code(), Some(code), "{}", ending.shown);
    for word in words {
        assert!(ending.shown.contains(word), "{word:?} is missing: {}", ending.shown);
    }
}

/// What gpg says about a card; scdaemon lets it go again.
fn gpg_card_status(machine: &Machine, person: &Person<'_>) -> String {
    let config = format!("disable-ccid\nreader-port {}\n", person.card.reader_name());
    machine.write("/run/home/root/.gnupg/scdaemon.conf", &config, 0o600).unwrap();
    let gpg = machine.command("gpg").args(["--batch", "--card-status"]).output().unwrap();
    assert!(gpg.status.success(), "{}", String::from_utf8_lossy(&gpg.stderr));
    let killed = machine.command("gpgconf").args(["--kill", "all"]).output().unwrap();
    assert!(killed.status.success());
    String::from_utf8_lossy(&gpg.stdout).into_owned()
}

/// An enrolled host, and Ana with a card fresh from the factory and an account that waits for it.
struct Newcomer<'m> {
    site: Site<'m>,
    ana: Person<'m>,
    code: String,
    console: ServiceHandle,
}

impl<'m> Newcomer<'m> {
    fn on(machine: &'m Machine) -> Self {
        let site = Site::enrolled(machine, 2, HostKey::Sealed).unwrap();
        let olga = site.person("olga", 4200, 1).unwrap();
        olga.register(&site.server.administrator, &site.server.code).unwrap();
        let code = olga.administer(&["admin", "user", "add", "ana"]).unwrap().after("code").unwrap();
        // Ana's is the one card in the machine, so that no command need name it.
        olga.card.pull().unwrap();
        olga.card.wait_until_seen().unwrap();
        let ana = site.person("ana", 4201, 2).unwrap();
        site.manage("user ana card\n").unwrap();
        machine.pam_service(SERVICE, &stack(SILENT_REST).unwrap()).unwrap();
        let console = machine.service_cgroup("getty@tty1.service").unwrap();
        Self { site, ana, code, console }
    }

    fn login(&self, answers: &[(&str, &str)]) -> Ending {
        let mut command = self.console.command("pamtester");
        command.args([SERVICE, "ana", "authenticate"]);
        talk(&command, answers, SOON).unwrap()
    }
}

#[test]
fn a_card_lives_from_init_to_factory_reset_by_these_commands_and_gpg_agrees() {
    let machine = Machine::start().unwrap();
    let newcomer = Newcomer::on(&machine);
    let (ana, ident) = (&newcomer.ana, newcomer.ana.card.ident());

    // A card from the factory, made ready.
    let folder = machine.scratch().join("ana");
    let mut make = machine.command("install");
    make.args(["-d", "-o", "ana", "-m", "700"]).arg(&folder);
    talk(&make, &[], SOON).unwrap().success().unwrap();
    let certificate = folder.join("ana.asc").to_string_lossy().into_owned();
    let words = ["init", "--name", "Ana Maria Muster", "--url", "https://example.org/ana.asc"];
    let words = [&words[..], &["--certificate-out", &certificate]].concat();
    let shown = done(card(ana, &words, &[&[("Type yes", "yes")][..], &NEW_PINS].concat()));
    for words in
        ["Making the signature key", "Signing the certificate", "Replacing the card's PINs", "register"]
    {
        assert!(shown.contains(words), "{words} is missing: {shown}");
    }
    let said = gpg_card_status(&machine, ana);
    for words in
        ["Ana Maria Muster", "https://example.org/ana.asc", "ed25519 cv25519 ed25519", "forced", "3 0 3"]
    {
        assert!(said.contains(words), "{words} is missing: {said}");
    }
    let mut import = machine.command("gpg");
    import.args(["--batch", "--import", &certificate]);
    talk(&import, &[], SOON).unwrap().success().unwrap();
    let known = gpg_card_status(&machine, ana);
    assert!(known.contains("General key info..: pub  ed25519/"), "{known}");

    // A mistyped PIN changes nothing, and what is known of the keys stays.
    let answers =
        [("Type the card's number", ident.as_str()), ("PIN for", "999999"), ("Admin PIN for", ADMIN_PIN)];
    refused(&card(ana, &["generate"], &answers), 4, &["The card is as it was"]);

    // Its keys become the account's, without being made again, whoever left a registration open.
    let register = ana.countersign(&["register", "ana", "--card", &ident]).unwrap();
    let mut left_open = Dialogue::start(&register).unwrap();
    left_open.expect("One-time code", SOON).unwrap();
    let code = newcomer.code.as_str();
    let answers = [("One-time code", code), ("PIN for", PIN), ("Register a second card now", "n")];
    let shown = done(talk(&register, &answers, KEY_GENERATION).unwrap());
    assert!(shown.contains("Going on with the keys"), "{shown}");
    newcomer.login(&[("PIN for", PIN)]).success().unwrap();

    // Another PIN, and nothing but it opens the login.
    let shown = done(card(
        ana,
        &["change-pin"],
        &[("(3 tries left)", PIN), ("New PIN (", NEW), ("New PIN again", NEW)],
    ));
    assert!(shown.contains("is changed"), "{shown}");
    refused(&newcomer.login(&[("PIN for", PIN)]), 1, &["Wrong PIN"]);
    newcomer.login(&[("(2 tries left)", NEW)]).success().unwrap();

    // Blocked, told so with the way out, and unblocked.
    newcomer.login(&[("PIN for", "999999")]);
    newcomer.login(&[("PIN for", "999999")]);
    newcomer.login(&[("Only one try is left", "yes"), ("PIN for", "999999")]);
    refused(&newcomer.login(&[]), 1, &["blocked", "countersign card unblock"]);
    let answers = [("Admin PIN for", ADMIN_PIN), ("New PIN (", PIN), ("New PIN again", PIN)];
    let shown = done(card(ana, &["unblock"], &answers));
    assert!(shown.contains("has a new PIN, with all its tries"), "{shown}");
    newcomer.login(&[("(3 tries left)", PIN)]).success().unwrap();

    let shown = done(card(ana, &["show"], &[]));
    for words in [&ident, "opens here  ana", "OpenPGP card 3.4", "Ana Maria Muster", "PIN 3, admin PIN 3"] {
        assert!(shown.contains(words), "{words} is missing: {shown}");
    }

    // Erased; the administrator's part is told.
    let answers = [
        ("Type yes to go on", "yes"),
        ("Does anybody know the admin PIN", "yes"),
        ("Admin PIN for", ADMIN_PIN),
        ("Type the card's number", &ident),
    ];
    let shown = done(card(ana, &["factory-reset"], &answers));
    for words in ["It opens ana here", "is erased", "countersign admin key revoke"] {
        assert!(shown.contains(words), "{words} is missing: {shown}");
    }
    let said = gpg_card_status(&machine, ana);
    assert!(said.contains("Signature key ....: [none]") && said.contains("3 0 3"), "{said}");
    refused(&card(ana, &["show", "--json"], &[]), 0, &["\"reset_code\":0", "countersign card init"]);
}

#[test]
fn a_login_needs_a_touch_after_set_touch_on() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let ident = scene.ana.card.ident();
    let words = ["set-touch", "on", "--card", &ident];
    done(card(&scene.ana, &words, &[("Admin PIN for", ADMIN_PIN)]));
    scene.ana.card.touch(Touch::Require).unwrap();
    let mut command = scene.console.command("pamtester");
    command.args([SERVICE, "ana", "authenticate"]);
    let mut dialogue = Dialogue::start(&command).unwrap();
    dialogue.expect("then touch it", SOON).unwrap();
    dialogue.send_line(PIN).unwrap();
    scene.ana.card.wait_until_it_asks_for_a_touch(SOON).unwrap();
    scene.ana.card.touch(Touch::Grant).unwrap();
    dialogue.expect_eof(SOON).unwrap();
    assert!(dialogue.wait(SOON).unwrap().success(), "{}", dialogue.transcript());
    scene.ana.card.touch(Touch::Refuse).unwrap();
    let ending = scene.login(&["authenticate"], &[("PIN for", PIN)]).unwrap();
    assert!(!ending.status.success() && ending.shown.contains("not touched"), "{}", ending.shown);

    // For ever is asked about, and a no is a no.
    let ending = card(&scene.ana, &["set-touch", "fixed", "--card", &ident], &[("stays for ever", "no")]);
    refused(&ending, 130, &["Nothing was changed"]);
    let ending = card(&scene.ana, &["set-touch", "cached", "--card", &ident], &[]);
    refused(&ending, 4, &["off, on and fixed"]);
}

#[test]
fn an_open_prompt_about_a_card_blocks_no_login() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let ident = scene.ana.card.ident();
    let change = scene.ana.countersign(&["card", "change-pin", "--card", &ident]).unwrap();
    let mut dialogue = Dialogue::start(&change).unwrap();
    dialogue.expect("PIN for", SOON).unwrap();
    let begun = Instant::now();
    scene.ana_logs_in().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "took {:?}", begun.elapsed());
    // And the one who was at the prompt goes on as if nothing had been.
    dialogue.send_line(PIN).unwrap();
    for question in ["New PIN (", "New PIN again"] {
        dialogue.expect(question, SOON).unwrap();
        dialogue.send_line(NEW).unwrap();
    }
    dialogue.expect("is changed", SOON).unwrap();
}

#[test]
fn no_command_about_a_card_reaches_it_from_a_remote_session() {
    let machine = Machine::start().unwrap();
    let site = Site::enrolled(&machine, 1, HostKey::Sealed).unwrap();
    let ana = site.person("ana", 4201, 1).unwrap();
    let remote = machine.session(SessionSpec::remote("r1", &ana.user, "192.0.2.7")).unwrap();
    // The agent has read it, and reads no more by itself.
    done(card(&ana, &["show"], &[]));
    ana.card.reset_counts().unwrap();
    for words in [
        &["show"][..],
        &["init"],
        &["generate"],
        &["change-pin"],
        &["change-pin", "--reset-code"],
        &["unblock"],
        &["set-touch", "on"],
        &["factory-reset"],
    ] {
        let mut command = remote.command_as(&ana.user, target_bin("countersign").unwrap());
        command.arg("card").args(words);
        let ending = talk(&command, &[], SOON).unwrap();
        refused(&ending, 7, &["person at its seat"]);
        let mut as_root = remote.command(target_bin("countersign").unwrap());
        as_root.arg("card").args(words);
        refused(&talk(&as_root, &[], SOON).unwrap(), 7, &["person at its seat"]);
    }
    assert_eq!(ana.card.counts().unwrap().total, 0, "not one APDU");
}

#[test]
fn the_hosts_own_card_is_looked_after_by_nobody() {
    let machine = Machine::start().unwrap();
    let site = Site::enrolled(&machine, 1, HostKey::Card).unwrap();
    let ana = site.person("ana", 4201, 1).unwrap();
    ana.card.pull().unwrap();
    ana.card.wait_until_seen().unwrap();
    let host = site.host_card.as_ref().unwrap();
    let ident = host.ident();
    host.reset_counts().unwrap();
    for words in [
        &["show"][..],
        &["init"],
        &["generate"],
        &["change-pin"],
        &["unblock"],
        &["set-touch", "on"],
        &["factory-reset"],
    ] {
        let named = [words, &["--card", &ident]].concat();
        refused(&card(&ana, &named, &[]), 7, &["host's own card", "countersign host"]);
        let mut as_root = ana.seat.command(target_bin("countersign").unwrap());
        as_root.arg("card").args(&named);
        let ending = talk(&as_root, &[], SOON).unwrap();
        if words == ["show"] {
            assert!(
                ending.status.success() && ending.shown.contains("this host's own card"),
                "{}",
                ending.shown
            );
            host.reset_counts().unwrap();
        } else {
            refused(&ending, 7, &["host's own card"]);
        }
    }
    // Not named it is not offered either: there is no card to wait for but Ana's.
    let mut command = ana.countersign(&["card", "factory-reset"]).unwrap();
    let mut dialogue = Dialogue::start(command.args(["--json"])).unwrap();
    dialogue.expect("Insert the card", SOON).unwrap();
    drop(dialogue);
    assert_eq!(host.counts().unwrap().total, 0, "not one APDU");
}

#[test]
fn an_init_that_broke_off_is_run_again_and_ends_well() {
    let machine = Machine::start().unwrap();
    let site = Site::enrolled(&machine, 1, HostKey::Sealed).unwrap();
    let ana = &site.person("ana", 4201, 1).unwrap();
    let answers = [&[("Type yes", "yes")][..], &NEW_PINS].concat();
    let words = ["init", "--algorithm", "nist-p256"];
    // In the middle of the keys.
    let mut dialogue = Dialogue::start(&ana.countersign(&[&["card"], &words[..]].concat()).unwrap()).unwrap();
    for (question, answer) in &answers {
        dialogue.expect(question, SOON).unwrap();
        if *question == "New admin PIN again" {
            ana.card.pull_at(14).unwrap();
        }
        dialogue.send_line(answer).unwrap();
    }
    dialogue.expect("pulled out", KEY_GENERATION).unwrap();
    dialogue.expect("both PINs are still the old ones", SOON).unwrap();
    dialogue.expect_eof(SOON).unwrap();
    assert_eq!(dialogue.wait(SOON).unwrap().code(), Some(4));
    ana.card.wait_until_seen().unwrap();
    ana.card.insert().unwrap();
    ana.card.wait_until_seen().unwrap();
    let shown = done(card(ana, &words, &answers));
    assert!(shown.contains("Going on with"), "{shown}");
    let said = gpg_card_status(&machine, ana);
    assert!(said.contains("nistp256 nistp256 nistp256") && said.contains("3 0 3"), "{said}");
    // A card that is ready is not made ready again.
    let ending = card(ana, &words, &[]);
    refused(&ending, 4, &["holds keys already", "card adopt", "card generate", "card factory-reset"]);
}

/// The user PIN is the new one then and the admin PIN the old one: whoever runs it again has the same in mind.
#[test]
fn an_init_that_broke_off_between_the_pins_takes_the_same_pins_again() {
    let machine = Machine::start().unwrap();
    let site = Site::enrolled(&machine, 2, HostKey::Sealed).unwrap();
    let (ana, bob) = (site.person("ana", 4201, 1).unwrap(), site.person("bob", 4202, 2).unwrap());
    let init = |person: &Person<'_>, before_the_last: &dyn Fn()| {
        let ident = person.card.ident();
        // A policy that stays for ever, once it is there.
        let words = ["card", "init", "--algorithm", "nist-p256", "--touch", "fixed", "--card", &ident];
        let mut dialogue = Dialogue::start(&person.countersign(&words).unwrap()).unwrap();
        for (at, (question, answer)) in [&[("Type yes", "yes")][..], &NEW_PINS].concat().iter().enumerate() {
            dialogue.expect(question, SOON).unwrap();
            if at == NEW_PINS.len() {
                before_the_last();
            }
            dialogue.send_line(answer).unwrap();
        }
        dialogue.expect_eof(KEY_GENERATION).unwrap();
        (dialogue.wait(SOON).unwrap().code(), dialogue.transcript())
    };
    // Ana's card tells at which command the admin PIN is changed.
    let (code, shown) = init(&ana, &|| ana.card.reset_counts().unwrap());
    assert_eq!(code, Some(0), "{shown}");
    let order = ana.card.counts().unwrap().order;
    let touch = order.iter().rposition(|name| name.starts_with("PUT_DATA")).unwrap();
    let second = order.iter().rposition(|name| name == "CHANGE_REFERENCE_DATA").unwrap();
    assert!(touch > second, "{order:?}");
    let nth = u32::try_from(second + 1).unwrap();
    ana.card.pull().unwrap();
    ana.card.wait_until_seen().unwrap();

    let (code, shown) = init(&bob, &|| bob.card.pull_at(nth).unwrap());
    assert_eq!(code, Some(4), "{shown}");
    assert!(shown.contains("its PIN is the new one, its admin PIN the old one or the new one"), "{shown}");
    bob.card.wait_until_seen().unwrap();
    bob.card.insert().unwrap();
    bob.card.wait_until_seen().unwrap();
    let again =
        [&[("Type yes", ""), ("PIN for", PIN), ("Admin PIN for", "12345678")][..], &NEW_PINS].concat();
    let words = ["init", "--algorithm", "nist-p256", "--touch", "fixed"];
    let shown = done(card(&bob, &words, &again));
    assert!(shown.contains("Going on with") && shown.contains("has new keys"), "{shown}");
    done(card(&bob, &["change-pin", "--no-reset-code"], &[("Admin PIN for", ADMIN_PIN)]));
}

#[test]
fn new_keys_are_made_only_for_the_number_of_the_card_and_the_old_ones_are_named() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    let ident = scene.ana.card.ident();
    let words = ["generate", "--card", &ident, "--algorithm", "nist-p256"];
    let ending = card(&scene.ana, &words, &[("Type the card's number", "yes")]);
    refused(&ending, 130, &["become unreadable", "ana cannot log in", "signature ", "as it was"]);
    scene.ana_logs_in().unwrap();
    let answers =
        [("Type the card's number", ident.as_str()), ("PIN for", PIN), ("Admin PIN for", ADMIN_PIN)];
    let shown = done(card(&scene.ana, &words, &answers));
    assert!(shown.contains("BEGIN PGP PUBLIC KEY BLOCK"), "{shown}");
    // What is on her card now is nobody's until it is registered.
    let mut command = scene.console.command("pamtester");
    command.args([SERVICE, "ana", "authenticate"]);
    Dialogue::start(&command).unwrap().expect("Insert the card of ana", SOON).unwrap();
}

#[test]
fn keys_made_elsewhere_are_adopted_from_the_address_on_the_card() {
    let machine = Machine::start().unwrap();
    let newcomer = Newcomer::on(&machine);
    let (ana, web) = (&newcomer.ana, WebServer::start().unwrap());
    let authority = machine.scratch().join("authority.pem").to_string_lossy().into_owned();
    std::fs::copy(web.authority(), &authority).unwrap();
    let url = web.url("ana.asc");
    let shown = done(card(
        ana,
        &["init", "--url", &url, "--user-id", "Ana"],
        &[&[("Type yes", "yes")][..], &NEW_PINS].concat(),
    ));
    let begin = shown.find("-----BEGIN").unwrap();
    let certificate = shown.get(begin..).unwrap();
    web.serve("ana.asc", certificate.as_bytes()).unwrap();
    // What is kept here of the keys is not what is used.
    std::fs::remove_file(machine.path("/var/lib/countersign/made-keys.json")).unwrap();
    let words = ["adopt", "--url", "--ca-file", &authority];
    let shown = done(card(ana, &words, &[("Fetch it? Type yes", "yes")]));
    assert!(shown.contains("fits the card") && shown.contains("yes:"), "{shown}");

    let register = ana.countersign(&["register", "ana", "--adopt-url", "--ca-file", &authority]).unwrap();
    let code = newcomer.code.as_str();
    let answers = [
        ("Fetch it? Type yes", "yes"),
        ("One-time code", code),
        ("PIN for", PIN),
        ("Register a second card now", "n"),
    ];
    done(talk(&register, &answers, KEY_GENERATION).unwrap());
    newcomer.login(&[("PIN for", PIN)]).success().unwrap();
    drop(newcomer.site);
}

#[test]
fn an_erasure_that_broke_off_is_finished_by_the_same_command() {
    let machine = Machine::start().unwrap();
    let site = Site::enrolled(&machine, 1, HostKey::Sealed).unwrap();
    let ana = &site.person("ana", 4201, 1).unwrap();
    let ident = ana.card.ident();
    let erase = [
        ("Type yes to go on", "yes"),
        ("Does anybody know the admin PIN", ""),
        ("Type the card's number", ident.as_str()),
    ];
    ana.card.fail_next("ACTIVATE", 0x6F00).unwrap();
    let ending = card(ana, &["factory-reset"], &erase);
    refused(&ending, 4, &["Blocking the card's PINs", "not ready for use", "countersign card factory-reset"]);
    let listed = done(card(ana, &["list"], &[]));
    assert!(listed.contains("was being erased"), "{listed}");
    let shown = done(card(ana, &["factory-reset"], &[("Type yes to finish it", "yes")]));
    assert!(shown.contains(&ident) && shown.contains("is erased"), "{shown}");
    let said = gpg_card_status(&machine, ana);
    assert!(said.contains("Signature key ....: [none]") && said.contains("3 0 3"), "{said}");
    // A number that is not the card's, and a no, leave a card as it is.
    let not_this = [erase[0], erase[1], ("Type the card's number", "0006:12345678")];
    refused(&card(ana, &["factory-reset"], &not_this), 130, &["as it was"]);
    refused(&card(ana, &["factory-reset"], &[("Type yes to go on", "")]), 130, &["as it was"]);
}

#[test]
fn the_last_try_of_an_admin_pin_is_asked_about_and_a_reset_code_unblocks() {
    let machine = Machine::start().unwrap();
    let site = Site::enrolled(&machine, 1, HostKey::Sealed).unwrap();
    let ana = site.person("ana", 4201, 1).unwrap();
    done(card(&ana, &["init"], &[&[("Type yes", "yes")][..], &NEW_PINS].concat()));
    let code = [("New resetting code (", "57721566"), ("New resetting code again", "57721566")];
    for left in ["(3 tries left)", "(2 tries left)"] {
        let answers = [&[(left, "99999999")][..], &code].concat();
        let ending = card(&ana, &["change-pin", "--reset-code"], &answers);
        refused(&ending, 4, &["Wrong admin PIN", "Nothing was changed"]);
    }
    ana.card.reset_counts().unwrap();
    let ending =
        card(&ana, &["change-pin", "--reset-code"], &[("Only one try is left for the admin PIN", "")]);
    refused(&ending, 4, &["was not used"]);
    assert_eq!(ana.card.counts().unwrap().of("VERIFY"), 0);
    let answers = [&[("Only one try is left", "yes"), ("(1 try left)", ADMIN_PIN)][..], &code].concat();
    done(card(&ana, &["change-pin", "--reset-code"], &answers));
    let answers = [
        ("With what?", "1"),
        ("Resetting code for", "57721566"),
        ("New PIN (", "12345"),
        ("nothing was sent to the card.\r\nNew PIN (", "123456"),
        ("first one tried.\r\nNew PIN (", NEW),
        ("New PIN again", NEW),
    ];
    let shown = done(card(&ana, &["unblock"], &answers));
    assert!(shown.contains("is not blocked") && shown.contains("has a new PIN"), "{shown}");
    done(card(&ana, &["change-pin"], &[("PIN for", NEW), ("New PIN (", PIN), ("New PIN again", PIN)]));
}
