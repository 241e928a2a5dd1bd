//! A second card, offered as soon as the first is registered; and the day on which the first is lost.

use countersign_tests::site::{
    HostKey, KEY_GENERATION, Person, SERVICE, SILENT_REST, SOON, Site, stack, talk,
};
use countersign_tests::{CardSpec, Dialogue, Machine, wait_until};

const NEW_PINS: [(&str, &str); 5] = [
    ("Type yes", "yes"),
    ("New PIN (", Person::PIN),
    ("New PIN again", Person::PIN),
    ("New admin PIN (", Person::ADMIN_PIN),
    ("New admin PIN again", Person::ADMIN_PIN),
];

#[test]
fn a_second_card_is_offered_at_once_and_goes_on_alone_when_the_first_is_lost() {
    let machine = Machine::start().unwrap();
    let site = Site::enrolled(&machine, 3, HostKey::Sealed).unwrap();
    let olga = site.person("olga", 4200, 1).unwrap();
    olga.register(&site.server.administrator, &site.server.code).unwrap();
    let code = olga.administer(&["admin", "user", "add", "ana"]).unwrap().after("code").unwrap();
    let ana = site.person("ana", 4201, 2).unwrap();
    let spare = machine.card(3, CardSpec::new("0000AAAA")).unwrap();
    spare.wait_until_seen().unwrap();

    let register = ana.countersign(&["register", "ana", "--card", &ana.card.ident()]).unwrap();
    let mut answers = NEW_PINS.to_vec();
    answers.extend([
        ("One-time code", code.as_str()),
        ("Register a second card now", "y"),
        ("PIN for", Person::PIN),
    ]);
    answers.extend(NEW_PINS);
    let ending = talk(&register, &answers, KEY_GENERATION).unwrap().success().unwrap();
    assert_eq!(ending.shown.matches("Emergency code:").count(), 1, "{}", ending.shown);
    assert!(
        ending.shown.contains(&format!("Card {} is a key of ana, too.", spare.ident())),
        "{}",
        ending.shown
    );

    site.manage("user ana card\n").unwrap();
    machine.pam_service(SERVICE, &stack(SILENT_REST).unwrap()).unwrap();
    let console = machine.service_cgroup("getty@tty1.service").unwrap();
    let log_in = |answers: &[(&str, &str)]| {
        let mut command = console.command("pamtester");
        command.args([SERVICE, "ana", "authenticate", "acct_mgmt", "setcred"]);
        talk(&command, answers, SOON).unwrap()
    };
    // Both are in: either is offered.
    for number in ["1", "2"] {
        let ending = log_in(&[("Which card?", number), ("PIN for", Person::PIN)]);
        assert!(ending.status.success(), "{}", ending.shown);
    }
    let shown = olga.administer(&["admin", "user", "show", "ana"]).unwrap().shown;
    assert!(shown.contains(&ana.card.ident()) && shown.contains(&spare.ident()), "{shown}");
    // Two are enough.
    let third = ana.countersign(&["register", "ana", "--second", "--card", &ana.card.ident()]).unwrap();
    let ending = talk(&third, &[("PIN for", Person::PIN)], SOON).unwrap();
    assert!(!ending.status.success() && ending.shown.contains("two cards already"), "{}", ending.shown);

    // The first is lost. Olga names it by the number that Ana wrote down.
    let lost = ana.card.ident();
    let answers = [("PIN for", Person::PIN), ("PIN for", Person::PIN)];
    let revoke = olga.countersign(&["admin", "key", "revoke", &lost, "--card", &olga.card.ident()]).unwrap();
    let ending = talk(&revoke, &answers, SOON).unwrap().success().unwrap();
    let left = format!("The account ana goes on with card {}", spare.ident());
    assert!(ending.shown.contains(&left), "{}", ending.shown);
    // The host hears of it within seconds, and asks for the other one alone.
    let ending = wait_until("a login by the card that is left", SOON, || {
        let mut command = console.command("pamtester");
        command.args([SERVICE, "ana", "authenticate"]);
        let mut dialogue = Dialogue::start(&command)?;
        let (asked, _) = dialogue.expect_one_of(&["Which card?", "PIN for"], SOON)?;
        if asked == 0 {
            return Ok(None);
        }
        dialogue.send_line(Person::PIN)?;
        dialogue.expect_eof(SOON)?;
        Ok(dialogue.wait(SOON)?.success().then_some(dialogue.transcript()))
    })
    .unwrap();
    assert!(ending.contains(&spare.ident()[9..]), "{ending}");
}
