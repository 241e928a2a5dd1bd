//! Ctrl-C at every prompt and every wait: no try is spent, no card is kept, no PIN stays open, and the next login works.

use std::time::{Duration, Instant};

use countersign_tests::site::{HostKey, Person, SOON, Scene, Site, Way, Weather};
use countersign_tests::{Dialogue, Machine, Touch};

use super::{
    PIN, another_program_finds_it_closed, console, ended, insert, log_in, no_card_is_in_use, pull, up_to,
};

/// As the terminal does it when somebody presses it.
fn control_c(mut dialogue: Dialogue) {
    dialogue.send(b"\x03").unwrap();
    let (is_good, shown) = ended(dialogue);
    assert!(!is_good, "{shown}");
}

/// How often the ledger has Ana's login.
fn logins(scene: &Scene<'_>, name: &str) -> usize {
    scene.ledger(name).unwrap().matches("log in as ana").count()
}

/// Nobody has Ana's card, it is closed, it was sent so many PINs, and its tries are as they were.
fn nothing_is_left(scene: &Scene<'_>, pins: usize, tries: u8) {
    no_card_is_in_use(scene);
    let card = &scene.ana.card;
    assert_eq!(card.counts().unwrap().of("VERIFY"), pins);
    another_program_finds_it_closed(card);
    let status = card.send(&[countersign_tests::SELECT, "00CA00C400"]).unwrap();
    let left = status[1].get(8..10).and_then(|hex| u8::from_str_radix(hex, 16).ok());
    assert_eq!(left, Some(tries), "{status:?}");
    card.reset_counts().unwrap();
}

#[test]
fn giving_up_at_any_prompt_or_wait_leaves_nothing_behind() {
    let machine = Machine::start().unwrap();
    let mut site = Site::by(Way::Road, &machine, 2, HostKey::Sealed).unwrap();
    site.server.permit_offline(&machine, 24, 0).unwrap();
    site.put_to_work().unwrap();
    let scene = Scene::at(site).unwrap();
    scene.ana_logs_in().unwrap();
    scene.ana.card.reset_counts().unwrap();

    // While the PIN is asked for.
    control_c(up_to(&scene, "ana", "PIN for"));
    nothing_is_left(&scene, 0, 3);

    // While a card is waited for.
    pull(&scene.ana.card);
    control_c(up_to(&scene, "ana", "Insert the card"));
    insert(&scene.ana.card);
    nothing_is_left(&scene, 0, 3);

    // While the server is waited for: the card has signed, and the answer finds nobody.
    let weather = |weather| scene.site.server.road.as_ref().unwrap().weather(weather).unwrap();
    weather(Weather::Held);
    let mut dialogue = up_to(&scene, "ana", "PIN for");
    dialogue.send_line(Person::PIN).unwrap();
    scene.site.server.road.as_ref().unwrap().wait_for_held(SOON).unwrap();
    control_c(dialogue);
    nothing_is_left(&scene, 1, 3);
    weather(Weather::Clear);
    log_in(&scene, "ana", &PIN).success().unwrap();
    scene.ana.card.reset_counts().unwrap();

    // While a touch is waited for. What the card asks for it cannot be kept from asking; nothing comes of it.
    scene.ana.card.want_touch(Person::ADMIN_PIN, true).unwrap();
    pull(&scene.ana.card);
    insert(&scene.ana.card);
    scene.ana.card.reset_counts().unwrap();
    scene.ana.card.touch(Touch::Require).unwrap();
    let before = logins(&scene, "before.jsonl");
    let mut dialogue = up_to(&scene, "ana", "then touch it");
    dialogue.send_line(Person::PIN).unwrap();
    scene.ana.card.wait_until_it_asks_for_a_touch(SOON).unwrap();
    control_c(dialogue);
    scene.ana.card.touch(Touch::Grant).unwrap();
    nothing_is_left(&scene, 1, 3);
    assert_eq!(logins(&scene, "after.jsonl"), before, "a signature that nobody waits for is not sent");
    scene.ana.card.touch(Touch::Off).unwrap();

    // At the last try: whether to use it, and then its PIN.
    for _ in 0..2 {
        log_in(&scene, "ana", &[("PIN for", "999999")]);
    }
    scene.ana.card.reset_counts().unwrap();
    control_c(up_to(&scene, "ana", "Only one try is left"));
    nothing_is_left(&scene, 0, 1);
    let mut dialogue = up_to(&scene, "ana", "Only one try is left");
    dialogue.send_line("yes").unwrap();
    dialogue.expect("(1 try left)", SOON).unwrap();
    control_c(dialogue);
    nothing_is_left(&scene, 0, 1);
    let yes = [("Only one try is left", "yes"), ("(1 try left)", Person::PIN)];
    let ending = log_in(&scene, "ana", &yes);
    assert_eq!(ending.code(), Some(0), "{}", ending.shown);
}

#[test]
fn giving_up_between_two_cards_asks_neither() {
    let machine = Machine::start().unwrap();
    let scene = Scene::at(Site::enrolled(&machine, 3, HostKey::Sealed).unwrap()).unwrap();
    let piet = scene.site.person("piet", 4202, 3).unwrap();
    let words = ["admin", "user", "add", "piet", "--login", "ana"];
    let code = scene.olga.administer(&words).unwrap().after("code").unwrap();
    piet.register("piet", &code).unwrap();
    // The roster learns of it with the first who comes.
    scene.ana.card.reset_counts().unwrap();
    piet.card.reset_counts().unwrap();
    let mut dialogue = Dialogue::start(&console(&scene, "ana")).unwrap();
    let (which, _) = dialogue.expect_one_of(&["Which card?", "PIN for"], SOON).unwrap();
    if which == 1 {
        control_c(dialogue);
        dialogue = wait_for_both(&scene);
    }
    control_c(dialogue);
    assert_eq!(piet.card.counts().unwrap().of("VERIFY"), 0);
    nothing_is_left(&scene, 0, 3);
}

/// Tries until the roster knows both accounts.
fn wait_for_both(scene: &Scene<'_>) -> Dialogue {
    countersign_tests::wait_until("the question which card", SOON, || {
        let mut dialogue = Dialogue::start(&console(scene, "ana"))?;
        let (which, _) = dialogue.expect_one_of(&["Which card?", "PIN for"], SOON)?;
        Ok((which == 0).then_some(dialogue))
    })
    .unwrap()
}

#[test]
fn a_card_that_does_not_come_is_waited_for_so_long_and_no_longer() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    pull(&scene.ana.card);
    let begun = Instant::now();
    let mut dialogue = up_to(&scene, "ana", "Insert the card of ana.");
    dialogue.expect_eof(2 * SOON).unwrap();
    let (is_good, shown) = ended(dialogue);
    assert!(!is_good);
    assert!(shown.contains("No card of ana was put in. Insert it and try again."), "{shown}");
    let waited = begun.elapsed();
    assert!((Duration::from_secs(29)..Duration::from_secs(40)).contains(&waited), "{waited:?}");
    insert(&scene.ana.card);
    scene.ana_logs_in().unwrap();
}
