//! What a signature costs, PINs right and wrong, and the touch.

use std::time::Duration;

use countersign_tests::Touch;
use serde_json::json;

use crate::probe::{ADMIN_PIN, Certificate, PIN, Probe, card, machine};
use crate::{SELECT, assert_signed, error, set_kdf, verify};

#[test]
fn warm_login_costs_three_apdus() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000003");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    assert_signed(&probe.sign(&card, &made, PIN));
    card.reset_counts().unwrap();
    assert_signed(&probe.sign(&card, &made, PIN));
    assert_eq!(card.counts().unwrap().order, ["GET_DATA_C4", "VERIFY", "PSO_CDS"]);
}

#[test]
fn cold_login_costs_at_most_five_apdus() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000005");
    let probe = Probe::with_timing(&machine, Duration::from_secs(20), Duration::from_millis(100));
    let made = probe.generate(&card, "curve25519");
    std::thread::sleep(Duration::from_millis(400));
    card.reset_counts().unwrap();
    assert_signed(&probe.sign(&card, &made, PIN));
    let counts = card.counts().unwrap();
    assert_eq!(counts.order, ["SELECT", "GET_DATA_6E", "GET_DATA_F9", "VERIFY", "PSO_CDS"]);
}

#[test]
fn login_with_a_card_put_in_for_it_costs_six_apdus() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000006");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    card.pull().unwrap();
    probe.sees_it_gone(&card);
    card.reset_counts().unwrap();
    card.insert().unwrap();
    probe.sees(&card);
    assert_signed(&probe.sign(&card, &made, PIN));
    assert_eq!(
        card.counts().unwrap().order,
        ["SELECT", "GET_DATA_6E", "GET_DATA_F9", "GET_DATA_C4", "VERIFY", "PSO_CDS"]
    );
}

#[test]
fn wrong_pin_is_sent_once_and_tells_the_tries_left() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000010");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    card.reset_counts().unwrap();
    let answer = probe.sign(&card, &made, "999999");
    assert_eq!(error(&answer), "WrongPin { tries: 2 }");
    assert!(answer["text"].as_str().unwrap().contains("2 tries left"), "{answer}");
    let counts = card.counts().unwrap();
    assert_eq!((counts.of("VERIFY"), counts.of("PSO_CDS")), (1, 0), "{counts:?}");
    assert_eq!(probe.sees(&card)["tries"], 2);
}

#[test]
fn last_try_is_not_spent_without_consent() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000011");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    for (shown, left) in [(3, 2), (2, 1)] {
        let answer = probe.ask(probe.signing(&card, &made, "999999", shown, false));
        assert_eq!(error(&answer), format!("WrongPin {{ tries: {left} }}"));
    }
    card.reset_counts().unwrap();
    // Not even with the right PIN: the agent cannot know that it is.
    let answer = probe.ask(probe.signing(&card, &made, PIN, 1, false));
    assert_eq!(error(&answer), "LastTry");
    assert_eq!(card.counts().unwrap().of("VERIFY"), 0);
    assert_signed(&probe.ask(probe.signing(&card, &made, PIN, 1, true)));
    assert_eq!(probe.ask(json!({ "do": "tries", "card": card.ident() }))["tries"], 3);
}

#[test]
fn blocked_card_says_so() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000013");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    for (shown, left) in [(3, 2), (2, 1)] {
        probe.ask(probe.signing(&card, &made, "999999", shown, false));
        assert_eq!(probe.sees(&card)["tries"], left);
    }
    // What a card says to the last wrong PIN, and to any PIN after it.
    assert_eq!(error(&probe.ask(probe.signing(&card, &made, "999999", 1, true))), "Blocked");
    card.reset_counts().unwrap();
    let answer = probe.ask(probe.signing(&card, &made, PIN, 0, true));
    assert_eq!(error(&answer), "Blocked");
    assert_eq!(card.counts().unwrap().of("VERIFY"), 0, "a blocked card is not asked again");
    assert!(probe.sees(&card)["problem_text"].as_str().unwrap().contains("no tries are left"));
}

#[test]
fn card_blocked_in_other_makers_words_says_so() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000014");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    card.fail_next("VERIFY", 0x6983).unwrap();
    assert_eq!(error(&probe.sign(&card, &made, PIN)), "Blocked");
}

#[test]
fn untouched_card_says_so_and_leaves_no_pin_open() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000041");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    machine.apdus(0, &[SELECT, &verify("83", ADMIN_PIN), "00DA00D6020120"]).unwrap();
    card.pull().unwrap();
    probe.sees_it_gone(&card);
    card.insert().unwrap();
    assert_eq!(probe.sees(&card)["touch"], true);
    card.touch(Touch::Refuse).unwrap();
    assert_eq!(error(&probe.sign(&card, &made, PIN)), "TouchTimeout");
    card.touch(Touch::Off).unwrap();
    let sign = format!("002A9E9A20{}00", "AB".repeat(32));
    assert_eq!(machine.apdus(0, &[SELECT, &sign]).unwrap()[1], "6982");
    assert_signed(&probe.sign(&card, &made, PIN));
}

#[test]
fn host_card_signs_with_its_stored_pin_and_a_wrong_one_is_sent_once() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000080");
    let probe = Probe::start(&machine);
    probe.sees(&card);
    let path = machine.scratch().join("host.pgp");
    let made =
        probe.ask(json!({ "do": "generate-host", "card": card.ident(), "replace": false, "out": path }));
    let pin = made["pin"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let certificate = Certificate { path, fingerprint: made["fingerprint"].as_str().unwrap().to_owned() };
    let sign = |pin: &str| {
        probe.ask(json!({ "do": "sign-stored", "card": card.ident(), "cert": certificate.path, "pin": pin }))
    };
    assert_signed(&sign(&pin));
    assert_signed(&sign(&pin));
    card.reset_counts().unwrap();
    assert_eq!(error(&sign("999999")), "WrongPin { tries: 2 }");
    assert!(error(&sign("999999")).starts_with("StoredPinRefused"));
    // Being read does not make it a card that was put in anew.
    assert_eq!(error(&probe.ask(json!({ "do": "details", "card": card.ident() }))), "none");
    assert!(error(&sign(&pin)).starts_with("StoredPinRefused"));
    assert_eq!(card.counts().unwrap().of("VERIFY"), 1);
    card.pull().unwrap();
    probe.sees_it_gone(&card);
    card.insert().unwrap();
    probe.sees(&card);
    assert_signed(&sign(&pin));
}

#[test]
fn card_that_wants_hashed_pins_gets_them() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000090");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    set_kdf(&machine);
    card.pull().unwrap();
    probe.sees_it_gone(&card);
    card.insert().unwrap();
    assert_eq!(probe.sees(&card)["tries"], 3);
    assert_signed(&probe.sign(&card, &made, PIN));
    assert_eq!(error(&probe.sign(&card, &made, "999999")), "WrongPin { tries: 2 }");
}
