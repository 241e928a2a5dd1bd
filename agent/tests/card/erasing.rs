//! Cards erased: by their admin PIN, without it, and pulled in the middle.

use countersign_tests::{Card, CardSpec, Machine};
use serde_json::{Value, json};

use crate::probe::{ADMIN_PIN, PIN, Probe, card, machine};
use crate::{SELECT, error, set_kdf, verify};

fn erase(card: &Card<'_>, admin: Option<&str>) -> Value {
    json!({ "do": "factory-reset", "card": card.ident(), "admin": admin })
}

/// Keys gone, both PINs those of the factory, and all tries there.
#[track_caller]
fn assert_new(machine: &Machine, probe: &Probe, card: &Card<'_>) {
    let seen = probe.sees(card);
    assert_eq!((&seen["has_keys"], &seen["tries"]), (&false.into(), &3.into()), "{seen}");
    let answers = machine.apdus(0, &[SELECT, &verify("81", "123456"), &verify("83", "12345678")]).unwrap();
    assert_eq!(answers[1..], ["9000", "9000"]);
}

#[test]
fn an_erased_card_is_as_from_the_factory_and_known_to_be() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000E01");
    let probe = Probe::start(&machine);
    probe.generate(&card, "curve25519");
    let answer = probe.ask(erase(&card, Some("99999999")));
    assert_eq!(
        (error(&answer), answer["standing"].as_str()),
        ("WrongAdminPin { tries: 2 }", Some("Unchanged"))
    );
    let mut again = erase(&card, Some(ADMIN_PIN));
    again["shown"] = 2.into();
    let answer = probe.ask(erase(&card, Some(ADMIN_PIN)));
    assert!(error(&answer).starts_with("TriesChanged"), "{answer}");
    machine.apdus(0, &[SELECT, &verify("83", ADMIN_PIN)]).unwrap();
    let answer = probe.ask(erase(&card, Some(ADMIN_PIN)));
    assert_eq!(answer["done"], true, "{answer}");
    assert_new(&machine, &probe, &card);
    probe.generate(&card, "curve25519");
}

#[test]
fn a_card_whose_pins_nobody_knows_is_blocked_and_erased() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000E02");
    let probe = Probe::start(&machine);
    probe.generate(&card, "curve25519");
    let answer = probe.ask(erase(&card, None));
    assert_eq!(answer["done"], true, "{answer}");
    assert_eq!(answer["steps"], json!(["Blocking", "Erasing", "Terminated"]));
    assert_new(&machine, &probe, &card);
}

#[test]
fn a_card_whose_pins_are_all_blocked_is_erased() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000E03");
    let probe = Probe::start(&machine);
    probe.generate(&card, "curve25519");
    let wrong = [verify("81", "999999"), verify("83", "99999999")];
    let all: Vec<&str> =
        std::iter::once(SELECT).chain(wrong.iter().map(String::as_str).cycle().take(6)).collect();
    machine.apdus(0, &all).unwrap();
    card.reset_counts().unwrap();
    assert_eq!(probe.ask(erase(&card, None))["done"], true);
    assert_eq!(card.counts().unwrap().of("VERIFY"), 0, "nothing is left to block");
    assert_new(&machine, &probe, &card);
}

#[test]
fn a_card_that_wants_hashed_pins_is_blocked_with_hashes_and_erased() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000E04");
    let probe = Probe::start(&machine);
    probe.generate(&card, "curve25519");
    set_kdf(&machine);
    card.pull().unwrap();
    probe.sees_it_gone(&card);
    card.insert().unwrap();
    probe.sees(&card);
    assert_eq!(probe.ask(erase(&card, None))["done"], true);
    assert_new(&machine, &probe, &card);
    assert_eq!(probe.ask(json!({ "do": "details", "card": card.ident() }))["hashed"], false);
}

#[test]
fn a_card_whose_hashing_nobody_understands_is_named_refuses_pins_for_nothing_and_is_erased() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000E09");
    let probe = Probe::start(&machine);
    // A method that is unknown, and an object that is none.
    for object in ["810109", "8105FF"] {
        let made = probe.generate(&card, "curve25519");
        let put = format!("00DA00F9{:02X}{object}", object.len() / 2);
        let answers = machine.apdus(0, &[SELECT, &verify("83", ADMIN_PIN), &put]).unwrap();
        assert_eq!(answers[1..], ["9000", "9000"], "{object}");
        card.pull().unwrap();
        probe.sees_it_gone(&card);
        card.insert().unwrap();
        let seen = probe.sees(&card);
        assert!(!seen["problem"].is_null(), "{object}: {seen}");
        card.reset_counts().unwrap();
        let answer = probe.sign(&card, &made, PIN);
        assert!(answer["error"].is_string(), "{answer}");
        assert_eq!(card.counts().unwrap().of("VERIFY"), 0, "{object}");
        let answer = probe.ask(erase(&card, None));
        assert_eq!(answer["done"], true, "{object}: {answer}");
        assert_new(&machine, &probe, &card);
    }
}

/// Before each command and after it. Whatever is left of the card, running it again ends well.
#[test]
fn a_card_pulled_at_any_command_of_an_erasure_can_be_erased_again() {
    for (serial, admin) in [("00000E05", Some(ADMIN_PIN)), ("00000E06", None)] {
        let machine = machine(1);
        let card = card(&machine, 0, serial);
        let probe = Probe::start(&machine);
        let mut said = Vec::new();
        for nth in 1.. {
            if !pulled_once(&machine, &probe, &card, admin, nth, &mut said) {
                break;
            }
        }
        said.dedup();
        said.sort();
        said.dedup();
        let expected: &[&str] = match admin {
            Some(_) => &["Erasing", "Terminated", "Unchanged"],
            None => &["Blocking", "Erasing", "Terminated", "Unchanged"],
        };
        assert_eq!(said, expected);
    }
}

/// False when the erasure gets through before its `nth` command.
fn pulled_once(
    machine: &Machine,
    probe: &Probe,
    card: &Card<'_>,
    admin: Option<&str>,
    nth: u32,
    said: &mut Vec<String>,
) -> bool {
    for after in [false, true] {
        probe.generate(card, "nist-p256");
        if after { card.pull_after(nth) } else { card.pull_at(nth) }.unwrap();
        let answer = probe.ask(erase(card, admin));
        if answer["done"] == true {
            card.clear_faults().unwrap();
            return false;
        }
        assert_eq!(error(&answer), "Gone", "{answer}");
        let standing = answer["standing"].as_str().unwrap().to_owned();
        probe.sees_it_gone(card);
        card.insert().unwrap();
        card.wait_until_seen().unwrap();
        // Terminated cards have no number; the others do.
        let problem = probe.ask(json!({ "do": "wait-for-problem", "ms": 700 }));
        let finished = if problem["problem"] == "Terminated" {
            assert!(standing == "Terminated" || standing == "Erasing", "{answer}");
            assert!(problem["problem_text"].as_str().unwrap().contains("factory-reset"), "{problem}");
            probe.ask(json!({ "do": "finish-reset", "reader": card.reader_name() }))
        } else {
            let seen = probe.sees(card);
            assert!(standing != "Unchanged" || seen["has_keys"] == true, "{answer}");
            probe.ask(erase(card, None))
        };
        assert_eq!(finished["done"], true, "after {standing} at {nth}: {finished}");
        assert_new(machine, probe, card);
        said.push(standing);
    }
    true
}

#[test]
fn finishing_an_erasure_leaves_a_card_alone_that_is_in_use() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000E07");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "nist-p256");
    let answer = probe.ask(json!({ "do": "finish-reset", "reader": card.reader_name() }));
    assert_eq!(answer["done"], true, "{answer}");
    assert_eq!(probe.sees(&card)["signing_key"], made.fingerprint.as_str());
}

#[test]
fn a_card_without_a_button_says_that_it_has_no_touch() {
    let machine = machine(1);
    let card = machine.card(0, CardSpec::new("00000E08").buttonless()).unwrap();
    card.wait_until_seen().unwrap();
    let probe = Probe::start(&machine);
    probe.generate(&card, "nist-p256");
    card.reset_counts().unwrap();
    let answer = probe.ask(json!({
        "do": "set-touch", "card": card.ident(), "admin": ADMIN_PIN, "keys": ["signature"], "policy": "on",
    }));
    assert!(answer["text"].as_str().unwrap().contains("offers no touch"), "{answer}");
    assert_eq!(card.counts().unwrap().of("VERIFY"), 0);
    let details = probe.ask(json!({ "do": "details", "card": card.ident() }));
    assert_eq!(details["keys"][0]["touch"], Value::Null, "{details}");
}
