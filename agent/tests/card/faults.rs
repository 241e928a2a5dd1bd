//! Cards that are pulled, hang, fail or are exchanged; a pcscd that comes and goes.

use std::time::{Duration, Instant};

use countersign_tests::{CardSpec, Machine, wait_until};
use serde_json::json;

use crate::probe::{PIN, Probe, card, machine};
use crate::{assert_signed, error};

#[test]
fn pulled_card_is_gone_at_every_apdu_of_a_signature() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000020");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    assert_signed(&probe.sign(&card, &made, PIN));
    // The first three commands find the connection warm; after each insertion it is new.
    for nth in 1..=3 {
        card.pull_at(nth).unwrap();
        let answer = probe.sign(&card, &made, PIN);
        assert_eq!(error(&answer), "Gone", "at command {nth}: {answer}");
        assert!(answer["ms"].as_u64().unwrap() < 3000, "{answer}");
        probe.sees_it_gone(&card);
        assert_eq!(error(&probe.sign(&card, &made, PIN)), "NoCard");
        card.insert().unwrap();
        probe.sees(&card);
        let answer = probe.sign(&card, &made, PIN);
        assert_signed(&answer);
    }
}

#[test]
fn pulled_card_is_gone_at_every_apdu_of_a_signature_on_a_new_connection() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000021");
    let probe = Probe::with_timing(&machine, Duration::from_secs(20), Duration::from_millis(50));
    let made = probe.generate(&card, "curve25519");
    for nth in 1..=5 {
        std::thread::sleep(Duration::from_millis(200));
        card.pull_at(nth).unwrap();
        let answer = probe.sign(&card, &made, PIN);
        assert_eq!(error(&answer), "Gone", "at command {nth}: {answer}");
        probe.sees_it_gone(&card);
        card.insert().unwrap();
        probe.sees(&card);
        assert_signed(&probe.sign(&card, &made, PIN));
    }
}

#[test]
fn refused_command_fails_one_signature_and_not_the_next() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000022");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    for command in ["VERIFY", "PSO_CDS"] {
        card.fail_next(command, 0x6F00).unwrap();
        let answer = probe.sign(&card, &made, PIN);
        assert!(error(&answer).contains("status: 28416"), "{command}: {answer}");
        assert_signed(&probe.sign(&card, &made, PIN));
    }
    // A card that forgot its application, as when another program selected its own.
    card.fail_next("GET_DATA_C4", 0x6A88).unwrap();
    assert_signed(&probe.sign(&card, &made, PIN));
}

#[test]
fn hung_card_does_not_block_another_card() {
    let machine = machine(2);
    let (ana, bob) = (card(&machine, 0, "00000030"), card(&machine, 1, "00000031"));
    let probe = Probe::with_timing(&machine, Duration::from_secs(2), Duration::from_secs(30));
    let (anas, bobs) = (probe.generate(&ana, "curve25519"), probe.generate(&bob, "curve25519"));
    ana.hang(3).unwrap();
    let begun = Instant::now();
    let hanging = probe.order(probe.signing(&ana, &anas, PIN, 3, false));
    std::thread::sleep(Duration::from_millis(300));
    assert_signed(&probe.sign(&bob, &bobs, PIN));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let answer = probe.answer(hanging);
    assert_eq!(error(&answer), "TimedOut", "{answer}");
    // No second thread is sent after the first.
    let answer = probe.sign(&ana, &anas, PIN);
    assert_eq!(error(&answer), "NotAnswering", "{answer}");
    assert_signed(&probe.sign(&bob, &bobs, PIN));
    // Late answers come to nothing, and the next request is served by a new thread.
    ana.resume().unwrap();
    let served = Instant::now() + Duration::from_secs(10);
    loop {
        let answer = probe.sign(&ana, &anas, PIN);
        if answer["signed"] == true {
            break;
        }
        assert!(Instant::now() < served, "{answer}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn hung_card_does_not_block_a_new_connection_to_another_card() {
    let machine = machine(2);
    let (ana, bob) = (card(&machine, 0, "00000033"), card(&machine, 1, "00000034"));
    let probe = Probe::with_timing(&machine, Duration::from_secs(2), Duration::from_millis(100));
    let (anas, bobs) = (probe.generate(&ana, "curve25519"), probe.generate(&bob, "curve25519"));
    std::thread::sleep(Duration::from_millis(400));
    ana.hang(3).unwrap();
    bob.reset_counts().unwrap();
    let hanging = probe.order(probe.signing(&ana, &anas, PIN, 3, false));
    std::thread::sleep(Duration::from_millis(300));
    assert_signed(&probe.sign(&bob, &bobs, PIN));
    assert_eq!(bob.counts().unwrap().of("SELECT"), 1, "the connection was not new");
    assert_eq!(error(&probe.answer(hanging)), "TimedOut");
}

#[test]
fn nobody_waiting_means_no_pin_is_sent() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000032");
    let probe = Probe::with_timing(&machine, Duration::from_secs(1), Duration::from_secs(30));
    let made = probe.generate(&card, "curve25519");
    card.hang(1).unwrap();
    assert_eq!(error(&probe.sign(&card, &made, PIN)), "TimedOut");
    card.reset_counts().unwrap();
    card.resume().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(card.counts().unwrap().of("VERIFY"), 0);
}

#[test]
fn pcscd_restart_is_survived() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000050");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    machine.kill_pcscd().unwrap();
    probe.does_not_see(&card);
    assert_eq!(error(&probe.sign(&card, &made, PIN)), "NoService");
    machine.restart_pcscd().unwrap();
    probe.sees(&card);
    assert_signed(&probe.sign(&card, &made, PIN));
}

#[test]
fn pcscd_may_come_after_the_agent() {
    let machine = Machine::start().unwrap();
    let probe = Probe::start(&machine);
    let list = probe.ask(json!({ "do": "list" }));
    assert_eq!((list["service"].as_str(), list["cards"].as_array().unwrap().len()), (Some("NoService"), 0));
    machine.start_pcscd(1).unwrap();
    let card = machine.card(0, CardSpec::new("00000051")).unwrap();
    probe.sees(&card);
}

#[test]
fn swapped_card_is_never_asked() {
    let machine = machine(1);
    let ana = card(&machine, 0, "00000060");
    let probe = Probe::start(&machine);
    let made = probe.generate(&ana, "curve25519");
    ana.pull().unwrap();
    ana.wait_until_seen().unwrap();
    probe.sees_it_gone(&ana);
    let bob = machine.card(0, CardSpec::new("00000061")).unwrap();
    // Asked while pcscd has the new card and the agent may still think of the old one.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        let answer = probe.sign(&ana, &made, PIN);
        let error = error(&answer);
        assert!(
            error == "NoCard" || error == "Gone" || error.starts_with("Swapped"),
            "signed or asked for a card that is not there: {answer}"
        );
    }
    probe.sees(&bob);
    assert_eq!(bob.counts().unwrap().of("VERIFY"), 0);
}

#[test]
fn card_swapped_behind_the_agents_back_is_recognised_by_its_number() {
    let machine = machine(1);
    let ana = card(&machine, 0, "00000062");
    let probe = Probe::start(&machine);
    probe.sees(&ana);
    // A turn with ana's card has begun …
    let asking = probe.order(json!({ "do": "tries", "card": ana.ident(), "pause_ms": 4000 }));
    std::thread::sleep(Duration::from_secs(2));
    // … and when the agent goes on, bob's is in the reader.
    probe.signal("-STOP");
    ana.pull().unwrap();
    ana.wait_until_seen().unwrap();
    let bob = card(&machine, 0, "00000063");
    probe.signal("-CONT");
    let told = probe.answer(asking);
    assert!(error(&told).starts_with("Swapped"), "{told}");
    let counts = bob.counts().unwrap();
    assert_eq!((counts.of("VERIFY"), counts.of("PSO_CDS")), (0, 0), "{counts:?}");
}

#[test]
fn a_request_that_waits_for_a_card_that_leaves_asks_no_other() {
    let machine = machine(1);
    let ana = card(&machine, 0, "00000064");
    let probe = Probe::start(&machine);
    let made = probe.generate(&ana, "curve25519");
    ana.hang(1).unwrap();
    let first = probe.order(json!({ "do": "tries", "card": ana.ident() }));
    let second = probe.order(probe.signing(&ana, &made, PIN, 3, false));
    wait_until("ana's card to hang", Duration::from_secs(20), || Ok(ana.status()?.hanging.then_some(())))
        .unwrap();
    probe.signal("-STOP");
    ana.pull().unwrap();
    ana.wait_until_seen().unwrap();
    let bob = card(&machine, 0, "00000065");
    probe.signal("-CONT");
    for order in [first, second] {
        let told = probe.answer(order);
        let error = error(&told);
        assert!(["Gone", "NoCard"].contains(&error) || error.starts_with("Swapped"), "{told}");
    }
    let counts = bob.counts().unwrap();
    assert_eq!((counts.of("VERIFY"), counts.of("PSO_CDS")), (0, 0), "{counts:?}");
}
