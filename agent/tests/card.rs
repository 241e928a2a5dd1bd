//! The agent's cards on virtual cards behind a real pcscd. Needs root and the programs of
//! `countersign-virtual-card` and `countersign-tests`, and the example `card_probe`, which
//! `cargo test -p countersign-agent` builds (`--test card` alone does not).
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

#[path = "card/probe.rs"]
mod probe;

use std::path::Path;
use std::time::{Duration, Instant};

use countersign_protocol::certificate;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_tests::{Card, CardSpec, Machine, Touch, wait_until};
use probe::{ADMIN_PIN, Certificate, PIN, Probe, card, gpg, machine};
use serde_json::{Value, json};

const SELECT: &str = "00A4040006D27600012401";

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02X}")).collect()
}

fn verify(which: &str, pin: &str) -> String {
    format!("002000{which}{:02X}{}", pin.len(), hex(pin))
}

fn error(answer: &Value) -> &str {
    answer["error"].as_str().unwrap_or("none")
}

#[track_caller]
fn assert_signed(answer: &Value) {
    assert_eq!(answer["signed"], true, "{answer}");
}

fn generated_certificate_agrees_with_card_and_gpg(algorithm: &str, serial: &str) {
    let machine = machine(1);
    let card = card(&machine, 0, serial);
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, algorithm);
    assert_eq!(probe.sees(&card)["signing_key"], made.fingerprint.as_str());

    let cert = certificate::parse(&std::fs::read(&made.path).unwrap()).unwrap();
    let signing = certificate::signing_keys(&cert, SystemClock.now());
    assert_eq!(signing.iter().map(ToString::to_string).collect::<String>(), made.fingerprint);

    // The card's own list of fingerprints, and gpg's.
    let on_card = machine.apdus(0, &[SELECT, "00CA00C500"]).unwrap()[1].to_uppercase();
    let (_, listed) = gpg(
        &machine.scratch().join("gpg"),
        &made,
        &["--with-colons", "--with-subkey-fingerprint", "--list-keys"],
    );
    let mut in_gpg: Vec<&str> = listed
        .lines()
        .filter(|line| line.starts_with("fpr:"))
        .filter_map(|line| line.split(':').nth(9))
        .collect();
    let mut in_card: Vec<&str> = [0..40, 40..80, 80..120].map(|slot| &on_card[slot]).to_vec();
    assert_eq!(in_card[0], made.fingerprint);
    in_gpg.sort_unstable();
    in_card.sort_unstable();
    assert_eq!(in_gpg, in_card, "{listed}");

    // The card's keys work, with the new PIN only.
    assert_eq!(error(&probe.sign(&card, &made, "123456")), "WrongPin { tries: 2 }");
    assert_signed(&probe.ask(probe.signing(&card, &made, PIN, 2, false)));
    let statement = probe.statement();
    let (good, said) = gpg(
        &machine.scratch().join("gpg"),
        &made,
        &[
            "--verify",
            statement.with_extension("sig").to_str().unwrap(),
            statement.with_extension("json").to_str().unwrap(),
        ],
    );
    assert!(good && said.contains("Good signature from \"ana\""), "{said}");

    // Both factory PINs are gone, and the PIN closes after each signature.
    let answers = machine
        .apdus(0, &[SELECT, &verify("83", "12345678"), &verify("83", ADMIN_PIN), "00CA00C400"])
        .unwrap();
    assert_eq!(answers[1].to_uppercase(), "63C2");
    assert_eq!(answers[2], "9000");
    assert!(answers[3].starts_with("00"), "{answers:?}");
}

#[test]
fn generated_curve25519_certificate_verifies_with_gpg_and_fingerprints_agree() {
    generated_certificate_agrees_with_card_and_gpg("curve25519", "0000C255");
}

#[test]
fn generated_p256_certificate_verifies_with_gpg_and_fingerprints_agree() {
    generated_certificate_agrees_with_card_and_gpg("nist-p256", "00000256");
}

#[test]
fn generated_p384_certificate_verifies_with_gpg_and_fingerprints_agree() {
    generated_certificate_agrees_with_card_and_gpg("nist-p384", "00000384");
}

#[test]
fn generated_rsa2048_certificate_verifies_with_gpg_and_fingerprints_agree() {
    generated_certificate_agrees_with_card_and_gpg("rsa2048", "00002048");
}

/// Its signatures do not fit into a short answer.
#[test]
fn generated_rsa3072_certificate_verifies_with_gpg_and_fingerprints_agree() {
    generated_certificate_agrees_with_card_and_gpg("rsa3072", "00003072");
}

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
    assert_eq!(counts.order, ["SELECT", "GET_DATA_4F", "GET_DATA_C4", "VERIFY", "PSO_CDS"]);
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
fn tries_spent_by_another_program_are_told_before_another_is() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000012");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    machine.apdus(0, &[SELECT, &verify("81", "999999")]).unwrap();
    card.reset_counts().unwrap();
    let answer = probe.sign(&card, &made, PIN);
    assert_eq!(error(&answer), "TriesChanged { shown: 3, now: 2 }");
    assert_eq!(card.counts().unwrap().of("VERIFY"), 0);
    assert_signed(&probe.ask(probe.signing(&card, &made, PIN, 2, false)));
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
    // Other makers' way of saying it.
    let other = probe_another_blocked_card(&machine);
    assert_eq!(error(&other), "Blocked");
}

fn probe_another_blocked_card(machine: &Machine) -> Value {
    machine.stop_pcscd().unwrap();
    let machine = probe::machine(1);
    let card = card(&machine, 0, "00000014");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    card.fail_next("VERIFY", 0x6983).unwrap();
    probe.sign(&card, &made, PIN)
}

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
fn card_held_by_gnupg_says_so_and_works_when_it_is_let_go() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000035");
    let probe = Probe::with_timing(&machine, Duration::from_secs(20), Duration::from_millis(100));
    let made = probe.generate(&card, "curve25519");
    let home = machine.scratch().join("gnupg");
    std::thread::sleep(Duration::from_millis(400));
    // The agent does not keep GnuPG from the card.
    hold_with_gnupg(&machine, &home);
    card.reset_counts().unwrap();
    let answer = probe.sign(&card, &made, PIN);
    assert_eq!(error(&answer), "InUse", "{answer}");
    assert!(answer["text"].as_str().unwrap().contains("gpgconf --kill scdaemon"));
    let_go(&machine, &home);
    assert_signed(&probe.sign(&card, &made, PIN));
}

#[test]
fn card_that_gnupg_held_at_the_start_is_seen_when_it_is_let_go() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000036");
    let home = machine.scratch().join("gnupg");
    hold_with_gnupg(&machine, &home);
    let probe = Probe::start(&machine);
    let list = probe.ask(json!({ "do": "wait-for-problem", "ms": 10_000 }));
    assert_eq!(list["problem"], "InUse", "{list}");
    let_go(&machine, &home);
    probe.sees(&card);
}

fn hold_with_gnupg(machine: &Machine, home: &Path) {
    std::fs::create_dir_all(home).unwrap();
    std::fs::set_permissions(home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(home.join("scdaemon.conf"), "disable-ccid\n").unwrap();
    let status = machine
        .command("gpg")
        .args(["--batch", "--homedir"])
        .arg(home)
        .arg("--card-status")
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
}

fn let_go(machine: &Machine, home: &Path) {
    let killed =
        machine.command("gpgconf").arg("--homedir").arg(home).args(["--kill", "scdaemon"]).output().unwrap();
    assert!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
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
fn another_program_cannot_sign_on_the_open_pin() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000040");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    let sign = format!("002A9E9A20{}00", "AB".repeat(32));
    // A card that keeps its PIN open, and the proof that it would.
    let opened = machine
        .apdus(0, &[SELECT, &verify("83", ADMIN_PIN), "00DA00C40101", &verify("81", PIN), &sign, &sign])
        .unwrap();
    assert!(opened[4].ends_with("9000") && opened[5].ends_with("9000"), "{opened:?}");
    card.reset_counts().unwrap();
    assert_signed(&probe.sign(&card, &made, PIN));
    let cold = card.counts().unwrap();
    assert!(cold.total <= 6, "{cold:?}");
    let theirs = machine.apdus(0, &[SELECT, &sign]).unwrap();
    assert_eq!(theirs[1], "6982", "another program signed with ana's PIN");
    // A card without that command is reset instead.
    assert_signed(&probe.sign(&card, &made, PIN));
    card.reset_counts().unwrap();
    card.fail(4, 0x6B00).unwrap();
    assert_signed(&probe.sign(&card, &made, PIN));
    let warm = card.counts().unwrap();
    assert_eq!(warm.total, 4, "{warm:?}");
    assert_eq!(machine.apdus(0, &[SELECT, &sign]).unwrap()[1], "6982");
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
    let made = probe.generate(&ana, "curve25519");
    // Two requests for ana's card are accepted, the first one in the middle of a command …
    ana.hang(1).unwrap();
    let first = probe.order(json!({ "do": "tries", "card": ana.ident() }));
    let second = probe.order(probe.signing(&ana, &made, PIN, 3, false));
    wait_until("ana's card to hang", Duration::from_secs(5), || Ok(ana.status()?.hanging.then_some(())))
        .unwrap();
    std::thread::sleep(Duration::from_millis(200));
    // … and when the agent looks again, bob's is in the reader.
    probe.signal("-STOP");
    ana.pull().unwrap();
    ana.wait_until_seen().unwrap();
    let bob = card(&machine, 0, "00000063");
    probe.signal("-CONT");
    assert_eq!(error(&probe.answer(first)), "Gone");
    let answer = probe.answer(second);
    assert!(error(&answer).starts_with("Swapped"), "{answer}");
    let counts = bob.counts().unwrap();
    assert_eq!((counts.of("VERIFY"), counts.of("PSO_CDS")), (0, 0), "{counts:?}");
}

#[test]
fn card_with_keys_is_not_overwritten_unless_told() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000070");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    card.reset_counts().unwrap();
    let mut again = json!({
        "do": "generate", "card": card.ident(), "algorithm": "nist-p256", "replace": false,
        "out": machine.scratch().join("again.pgp"), "pins": [PIN, ADMIN_PIN, "161803", "16180339"],
    });
    let answer = probe.ask(again.clone());
    assert_eq!((error(&answer), answer["state"].as_str()), ("HoldsKeys", Some("Unchanged")));
    assert_eq!(card.counts().unwrap().of("VERIFY"), 0);
    again["replace"] = true.into();
    let answer = probe.ask(again);
    assert_ne!(answer["fingerprint"].as_str().unwrap(), made.fingerprint, "{answer}");
    // The old certificate does not fit any more, and no try is spent on finding out.
    card.reset_counts().unwrap();
    assert!(error(&probe.sign(&card, &made, "161803")).starts_with("KeyMismatch"));
    assert_eq!(card.counts().unwrap().total, 0);
}

#[test]
fn mistyped_pin_changes_nothing_on_a_card() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000071");
    let probe = Probe::start(&machine);
    probe.sees(&card);
    for (pins, expected) in [
        (["999999", "12345678"], "WrongPin { tries: 2 }"),
        (["123456", "99999999"], "WrongAdminPin { tries: 2 }"),
    ] {
        let answer = probe.ask(json!({
            "do": "generate", "card": card.ident(), "algorithm": "curve25519", "replace": false,
            "out": machine.scratch().join("none.pgp"), "pins": [pins[0], pins[1], PIN, ADMIN_PIN],
        }));
        assert_eq!((error(&answer), answer["state"].as_str()), (expected, Some("Unchanged")), "{answer}");
    }
    assert_eq!(card.counts().unwrap().of("GENERATE_KEY"), 0);
    assert_eq!(probe.sees(&card)["has_keys"], false);
    probe.generate(&card, "curve25519");
}

/// Breaks off at every command, and checks what the error says about the PINs against the card itself.
#[test]
fn broken_off_generation_says_which_pins_hold() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000072");
    let probe = Probe::start(&machine);
    probe.sees(&card);
    let out = machine.scratch().join("part.pgp");
    let (mut user, mut admin) = ("123456", "12345678");
    let mut seen = Vec::new();
    for nth in 1.. {
        let (new_user, new_admin) = if user == "123456" { (PIN, ADMIN_PIN) } else { ("123456", "12345678") };
        let order = json!({
            "do": "generate", "card": card.ident(), "algorithm": "nist-p256", "replace": true, "out": out,
            "pins": [user, admin, new_user, new_admin],
        });
        card.pull_at(nth).unwrap();
        let answer = probe.ask(order);
        if answer["fingerprint"].is_string() {
            card.clear_faults().unwrap();
            break;
        }
        assert_eq!(error(&answer), "Gone", "{answer}");
        let state = answer["state"].as_str().unwrap().to_owned();
        probe.sees_it_gone(&card);
        card.insert().unwrap();
        probe.sees(&card);
        // The virtual card drops the command at which it is pulled, so "unsure" means the old PIN.
        if state == "UserPinNew" || state == "AdminPinUnsure" {
            user = new_user;
        }
        let holds = machine.apdus(0, &[SELECT, &verify("81", user), &verify("83", admin)]).unwrap();
        assert_eq!(holds[1..], ["9000", "9000"], "at command {nth} it said {state}");
        if user != "123456" {
            // Back to where both PINs are of one kind.
            let change = format!("00240083{:02X}{}{}", 16, hex(admin), hex(new_admin));
            assert_eq!(machine.apdus(0, &[SELECT, &change]).unwrap()[1], "9000");
            admin = new_admin;
        }
        seen.push(state);
    }
    seen.dedup();
    assert_eq!(seen, ["Unchanged", "OldPins", "UserPinUnsure", "AdminPinUnsure"]);
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

/// Has the card ask for iterated SHA-256, as `gpg --card-edit kdf-setup` does.
fn set_kdf(machine: &Machine) {
    use sha2::Digest as _;
    const COUNT: usize = 100_000;
    let hash = |salt: &str, pin: &str| {
        let bytes: Vec<u8> = [salt, pin].concat().bytes().cycle().take(COUNT).collect();
        format!("{:X}", sha2::Sha256::digest(bytes))
    };
    let (user_salt, admin_salt) = ("userSALT", "adminSLT");
    let object = format!(
        "8101038201088304{COUNT:08X}8408{}8508{}8608{}8720{}8820{}",
        hex(user_salt),
        hex("resetSLT"),
        hex(admin_salt),
        hash(user_salt, "123456"),
        hash(admin_salt, "12345678"),
    );
    let put = format!("00DA00F9{:02X}{object}", object.len() / 2);
    let change = |which: &str, old: &str, new: String| {
        format!("002400{which}{:02X}{}{new}", old.len() + new.len() / 2, hex(old))
    };
    let answers = machine
        .apdus(
            0,
            &[
                SELECT,
                &verify("83", ADMIN_PIN),
                &put,
                &change("81", PIN, hash(user_salt, PIN)),
                &change("83", ADMIN_PIN, hash(admin_salt, ADMIN_PIN)),
            ],
        )
        .unwrap();
    assert_eq!(answers[1..], ["9000"; 4]);
}

#[test]
fn adopted_certificate_must_fit_the_card() {
    let machine = machine(2);
    let (ana, bob) = (card(&machine, 0, "000000A0"), card(&machine, 1, "000000A1"));
    let probe = Probe::start(&machine);
    let (anas, bobs) = (probe.generate(&ana, "nist-p256"), probe.generate(&bob, "curve25519"));
    let adopt = |card: &Card<'_>, certificate: &Certificate| {
        probe.ask(json!({ "do": "adopt", "card": card.ident(), "cert": certificate.path }))
    };
    assert_eq!(adopt(&ana, &anas)["key"], anas.fingerprint.as_str());
    assert!(error(&adopt(&ana, &bobs)).starts_with("NotInCertificate"));
}
