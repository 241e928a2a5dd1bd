//! Cards that are lost, with nothing left but a paper; and a card that gets other keys.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use countersign_tests::site::{
    HostKey, KEY_GENERATION, Person, SERVICE, SILENT_REST, SOON, Site, TurnedClock, stack, talk,
};
use countersign_tests::{CardSpec, Machine};

const NEW_PINS: [(&str, &str); 5] = [
    ("Type yes", "yes"),
    ("New PIN (", Person::PIN),
    ("New PIN again", Person::PIN),
    ("New admin PIN (", Person::ADMIN_PIN),
    ("New admin PIN again", Person::ADMIN_PIN),
];

const A_DAY: i64 = 24 * 3600;

/// From the paper that a registration prints.
fn recovery_code(shown: &str) -> String {
    let (_, after) = shown.split_once("Recovery code:").unwrap_or_else(|| panic!("no paper: {shown}"));
    after.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_person_with_nothing_but_the_paper_gets_another_card_after_two_administrators_and_a_day() {
    let machine = Machine::start().unwrap();
    let mut site = Site::enrolled(&machine, 4, HostKey::Sealed).unwrap();
    let olga = site.person("olga", 4200, 1).unwrap();
    olga.register(&site.server.administrator, &site.server.code).unwrap();
    let otto = site.person("otto", 4202, 3).unwrap();
    let code = olga.administer(&["admin", "user", "add", "otto", "--role", "administrator"]).unwrap();
    otto.register("otto", &code.after("code").unwrap()).unwrap();
    let code = olga.administer(&["admin", "user", "add", "ana"]).unwrap().after("code").unwrap();
    let ana = site.person("ana", 4201, 2).unwrap();
    let paper = recovery_code(&ana.register("ana", &code).unwrap().shown);
    let new = machine.card(4, CardSpec::new("0000BBBB")).unwrap();
    new.wait_until_seen().unwrap();
    site.manage("user ana card\n").unwrap();
    machine.pam_service(SERVICE, &stack(SILENT_REST).unwrap()).unwrap();
    let console = machine.service_cgroup("getty@tty1.service").unwrap();
    let log_in = |answers: &[(&str, &str)]| {
        let mut command = console.command("pamtester");
        command.args([SERVICE, "ana", "authenticate", "acct_mgmt", "setcred"]);
        talk(&command, answers, SOON).unwrap()
    };

    // Another paper is worth nothing; hers begins it.
    let begin = ana.countersign(&["recover", "begin", "ana", "--card", &new.ident()]).unwrap();
    let mut answers = NEW_PINS.to_vec();
    answers.extend([("Recovery code", "0000-0000-0000-0000"), ("Recovery code", paper.as_str())]);
    let begun = talk(&begin, &answers, KEY_GENERATION).unwrap().success().unwrap();
    let id = begun.after("recovery").unwrap();
    let key: String = begun
        .shown
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("new key"))
        .unwrap()
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    assert!(begun.shown.contains(&format!("admin recovery approve {id} ana {key}")), "{}", begun.shown);

    // The card that was thought lost opens her login as before, and tells her how to end it.
    let ending = log_in(&[("PIN for", Person::PIN)]);
    assert!(ending.status.success() && ending.shown.contains("recover withdraw"), "{}", ending.shown);

    let finish = ana.countersign(&["recover", "finish", &id]).unwrap();
    let waits = |signed: &str| {
        let ending = talk(&finish, &[], SOON).unwrap().success().unwrap();
        assert!(ending.shown.contains(&format!("by {signed} of 2")), "{}", ending.shown);
    };
    waits("0");
    olga.administer(&["admin", "recovery", "approve", &id, "ana", &key]).unwrap();
    waits("1");
    otto.administer(&["admin", "recovery", "approve", &id, "ana", &key]).unwrap();
    waits("2");
    let listed = olga.administer(&["admin", "recovery", "list"]).unwrap().shown;
    assert!(listed.contains("by admin, otto") && listed.contains(&id), "{listed}");

    // A day later, for server and host.
    site.stop_agent().unwrap();
    site.server.stop().unwrap();
    let clocks = [TurnedClock::new(&machine).unwrap(), TurnedClock::new(&machine).unwrap()];
    clocks[0].turn(A_DAY + 60).unwrap();
    let [of_server, of_agent] = clocks;
    (site.server.clock, site.clock) = (Some(of_server), Some(of_agent));
    site.server.start(&machine).unwrap();
    site.start_agent().unwrap();
    let finish = ana.countersign(&["recover", "finish", &id, "--card", &new.ident()]).unwrap();
    let ending = talk(&finish, &[("PIN for", Person::PIN)], SOON).unwrap().success().unwrap();
    assert!(ending.shown.contains("only one of ana now"), "{}", ending.shown);
    assert_ne!(recovery_code(&ending.shown), paper, "the paper for the next time");

    // The new card opens her login; the old one nothing any more.
    let ending = log_in(&[("PIN for", Person::PIN)]);
    assert!(ending.status.success() && ending.shown.contains("BBBB"), "{}", ending.shown);
    let shown = olga.administer(&["admin", "user", "show", "ana"]).unwrap().shown;
    assert!(shown.contains(&new.ident()) && shown.contains("revoked"), "{shown}");
}

#[test]
fn a_cards_keys_are_replaced_by_ones_that_the_old_key_signed_for() {
    let machine = Machine::start().unwrap();
    let site = Site::enrolled(&machine, 2, HostKey::Sealed).unwrap();
    let olga = site.person("olga", 4200, 1).unwrap();
    olga.register(&site.server.administrator, &site.server.code).unwrap();
    let code = olga.administer(&["admin", "user", "add", "ana"]).unwrap().after("code").unwrap();
    let ana = site.person("ana", 4201, 2).unwrap();
    ana.register("ana", &code).unwrap();
    let key = |shown: &str| {
        let (_, after) = shown.split_once("  key ").unwrap();
        after.lines().next().unwrap().trim().to_owned()
    };
    let before = key(&olga.administer(&["admin", "user", "show", "ana"]).unwrap().shown);

    let ident = ana.card.ident();
    let rotate = ana.countersign(&["key", "rotate", "ana", "--card", &ident]).unwrap();
    let answers = [
        ("PIN for", Person::PIN),
        ("Type the card's number", ident.as_str()),
        ("PIN for", Person::PIN),
        ("Admin PIN for", Person::ADMIN_PIN),
        ("PIN for", Person::PIN),
    ];
    let ending = talk(&rotate, &answers, KEY_GENERATION).unwrap().success().unwrap();
    assert!(ending.shown.contains("has another key of ana now"), "{}", ending.shown);

    let shown = olga.administer(&["admin", "user", "show", "ana"]).unwrap().shown;
    assert_ne!(key(&shown), before);
    assert!(shown.contains(&format!("revoked     {before}")), "{shown}");
    site.manage("user ana card\n").unwrap();
    machine.pam_service(SERVICE, &stack(SILENT_REST).unwrap()).unwrap();
    let console = machine.service_cgroup("getty@tty1.service").unwrap();
    let mut command = console.command("pamtester");
    command.args([SERVICE, "ana", "authenticate", "acct_mgmt", "setcred"]);
    let ending = talk(&command, &[("PIN for", Person::PIN)], SOON).unwrap();
    assert!(ending.status.success(), "{}", ending.shown);
}
