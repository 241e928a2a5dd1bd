//! The virtual card, as pcscd and GnuPG see it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::time::{Duration, Instant};

use countersign_tests::{Card, CardSpec, Machine, Touch, Trouble};

const SELECT: &str = "00A4040006D2760001240100";
const VERIFY_SIGNING: &str = "0020008106313233343536";
const VERIFY_ADMIN: &str = "00200083083132333435363738";
const GENERATE_SIGNING: &str = "0047800002B60000";
const READ_SIGNING: &str = "0047810002B60000";
const ED25519: &str = "162B06010401DA470F01";
const P256: &str = "132A8648CE3D030107";
const P384: &str = "132B81040022";
/// Length of the DigestInfo that RSA signs, with SHA-256.
const DIGEST_INFO: usize = 51;
const SIGNING_IS_ED25519: &str = "00DA00C10A162B06010401DA470F01";
const SIGNING_NEEDS_TOUCH: &str = "00DA00D6020120";
const SOON: Duration = Duration::from_secs(30);

/// PSO:CDS over a digest of this many bytes.
fn sign(digest: usize) -> String {
    format!("002A9E9A00{digest:04X}{}0000", "5A".repeat(digest))
}

/// A machine with pcscd and this many readers.
fn machine(readers: usize) -> Machine {
    let machine = Machine::start().unwrap();
    machine.start_pcscd(readers).unwrap();
    machine
}

fn inserted<'m>(machine: &'m Machine, reader: usize, serial: &str) -> Card<'m> {
    let card = machine.card(reader, CardSpec::new(serial)).unwrap();
    card.wait_until_seen().unwrap();
    card
}

fn ok(answer: &str) -> bool {
    answer.ends_with("9000")
}

#[test]
fn gpg_sees_the_card_with_the_chosen_serial() {
    let machine = machine(1);
    let _card = inserted(&machine, 0, "1234ABCD");
    machine.write("/run/home/root/.gnupg/scdaemon.conf", "disable-ccid\n", 0o600).unwrap();
    let gpg = machine.command("gpg").args(["--batch", "--card-status", "--with-colons"]).output().unwrap();
    let said = String::from_utf8_lossy(&gpg.stdout);
    assert!(gpg.status.success(), "{}", String::from_utf8_lossy(&gpg.stderr));
    assert!(said.contains("serial:1234ABCD:"), "{said}");
    assert!(said.contains("vendor:fffe:"), "{said}");
}

#[test]
fn two_cards_have_different_keys() {
    let machine = machine(2);
    let _cards = [inserted(&machine, 0, "00000001"), inserted(&machine, 1, "00000002")];
    let script = [SELECT, VERIFY_ADMIN, SIGNING_IS_ED25519, GENERATE_SIGNING];
    let keys = [0, 1].map(|reader| machine.apdus(reader, &script).unwrap().pop().unwrap());
    assert!(keys.iter().all(|key| ok(key) && key.starts_with("7F49")), "{keys:?}");
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn every_curve_and_rsa_2048_are_generated_and_sign() {
    generates_and_signs("00000003", &[(ED25519, 64), (P256, 32), (P384, 48), ("010800002000", DIGEST_INFO)]);
}

#[test]
fn long_rsa_keys_are_generated_and_sign() {
    generates_and_signs("00000013", &[("010C00002000", DIGEST_INFO), ("011000002000", DIGEST_INFO)]);
}

/// For each algorithm attributes, with a digest of so many bytes.
fn generates_and_signs(serial: &str, algorithms: &[(&str, usize)]) {
    let machine = machine(1);
    let _card = inserted(&machine, 0, serial);
    for (attributes, digest) in algorithms {
        let put = format!("00DA00C1{:02X}{attributes}", attributes.len() / 2);
        let script = [SELECT, VERIFY_ADMIN, &put, GENERATE_SIGNING, VERIFY_SIGNING, &sign(*digest)];
        let signature = machine.apdus(0, &script).unwrap().pop().unwrap();
        assert!(ok(&signature) && signature.len() > 2 * 64, "{attributes}: {signature}");
    }
}

#[test]
fn pull_and_insert_are_seen_by_pcscd() {
    let machine = machine(1);
    let card = machine.card(0, CardSpec::new("00000004").absent()).unwrap();
    card.wait_until_seen().unwrap();
    assert!(machine.apdus(0, &[SELECT]).is_err());
    card.insert().unwrap();
    card.wait_until_seen().unwrap();
    assert!(ok(&machine.apdus(0, &[SELECT]).unwrap()[0]));
    card.pull().unwrap();
    card.wait_until_seen().unwrap();
    assert!(machine.apdus(0, &[SELECT]).is_err());
    assert!(!card.status().unwrap().connected);
}

#[test]
fn commands_are_counted_by_name_and_order() {
    let machine = machine(1);
    let card = inserted(&machine, 0, "00000005");
    card.reset_counts().unwrap();
    machine.apdus(0, &[SELECT, "00CA006E00", VERIFY_SIGNING, "00200081", "00CA006E00"]).unwrap();
    let counts = card.counts().unwrap();
    assert_eq!(counts.order, ["SELECT", "GET_DATA_6E", "VERIFY", "VERIFY_STATUS", "GET_DATA_6E"]);
    assert_eq!((counts.total, counts.of("GET_DATA_6E"), counts.of("PSO_CDS")), (5, 2, 0));
    card.reset_counts().unwrap();
    assert_eq!(card.counts().unwrap().total, 0);
}

#[test]
fn the_nth_command_fails_with_the_chosen_status_word() {
    let machine = machine(1);
    let card = inserted(&machine, 0, "00000006");
    card.fail(2, 0x6F42).unwrap();
    card.fail_next("VERIFY", 0x6983).unwrap();
    let answers = machine.apdus(0, &[SELECT, SELECT, VERIFY_SIGNING, "00200081", VERIFY_SIGNING]).unwrap();
    assert_eq!(answers[1..], ["6F42", "6983", "63C3", "9000"]);
    assert!(ok(&answers[0]));
    assert_eq!(card.status().unwrap().pending_faults, 0);
}

#[test]
fn a_card_pulled_at_a_command_leaves_it_unanswered() {
    let machine = machine(1);
    let card = inserted(&machine, 0, "00000007");
    card.pull_at(2).unwrap();
    card.reset_counts().unwrap();
    let error = machine.apdus(0, &[SELECT, SELECT, SELECT]).unwrap_err();
    let Trouble::Program { output, .. } = &error else { panic!("{error}") };
    assert!(ok(output.lines().next().unwrap()), "the first command was answered: {output}");
    card.wait_until_seen().unwrap();
    assert!(!card.status().unwrap().inserted);
    assert_eq!(card.counts().unwrap().order, ["SELECT", "SELECT"]);
}

#[test]
fn a_hanging_card_answers_when_resumed_and_a_delayed_one_late() {
    let machine = machine(1);
    let card = inserted(&machine, 0, "00000008");
    card.hang(1).unwrap();
    std::thread::scope(|scope| {
        let answers = scope.spawn(|| machine.apdus(0, &[SELECT]));
        countersign_tests::wait_until("the card to hang", SOON, || Ok(card.status()?.hanging.then_some(())))
            .unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(!answers.is_finished());
        card.resume().unwrap();
        assert!(ok(&answers.join().unwrap().unwrap()[0]));
    });
    card.delay(1, Duration::from_millis(300)).unwrap();
    let started = Instant::now();
    machine.apdus(0, &[SELECT]).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn no_command_waits_for_a_delayed_acknowledgement() {
    let machine = machine(1);
    let _card = inserted(&machine, 0, "0000000D");
    let started = Instant::now();
    machine.apdus(0, &[SELECT; 100]).unwrap();
    // The kernel delays an acknowledgement by 40 ms; a command takes well under one.
    assert!(started.elapsed() < Duration::from_secs(2), "{:?} for 100 commands", started.elapsed());
}

#[test]
fn keys_and_pins_survive_a_killed_card() {
    let machine = machine(1);
    let mut card =
        machine.card(0, CardSpec::new("00000009").kept_in(machine.scratch().join("flash"))).unwrap();
    card.wait_until_seen().unwrap();
    let change_pin = "002400810C313233343536363534333231";
    let before = machine
        .apdus(0, &[SELECT, VERIFY_ADMIN, SIGNING_IS_ED25519, GENERATE_SIGNING, READ_SIGNING, change_pin])
        .unwrap();
    assert!(before.iter().all(|answer| ok(answer)), "{before:?}");
    card.kill_and_restart().unwrap();
    card.wait_until_seen().unwrap();
    let after = machine
        .apdus(0, &[SELECT, READ_SIGNING, VERIFY_SIGNING, "0020008106363534333231", &sign(32)])
        .unwrap();
    assert_eq!(after[1], before[4]);
    assert_eq!(after[2], "63C2");
    assert!(ok(&after[3]) && ok(&after[4]), "{after:?}");
}

#[test]
fn a_restarted_pcscd_finds_its_card_again() {
    let machine = machine(1);
    let card = inserted(&machine, 0, "0000000A");
    machine.restart_pcscd().unwrap();
    card.wait_until_seen().unwrap();
    assert!(ok(&machine.apdus(0, &[SELECT]).unwrap()[0]));
    machine.kill_pcscd().unwrap();
    assert!(machine.apdus(0, &[SELECT]).is_err());
    machine.restart_pcscd().unwrap();
    card.wait_until_seen().unwrap();
    assert!(ok(&machine.apdus(0, &[SELECT]).unwrap()[0]));
}

#[test]
fn a_key_that_needs_a_touch_waits_for_it_and_a_refusal_denies() {
    let machine = machine(1);
    let card = inserted(&machine, 0, "0000000B");
    let prepared = machine
        .apdus(0, &[SELECT, VERIFY_ADMIN, SIGNING_IS_ED25519, GENERATE_SIGNING, SIGNING_NEEDS_TOUCH])
        .unwrap();
    assert!(prepared.iter().all(|answer| ok(answer)), "{prepared:?}");
    let signing = [SELECT, VERIFY_SIGNING, &sign(32)];
    let signature = || machine.apdus(0, &signing).unwrap().pop().unwrap();

    card.touch(Touch::Require).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(signature);
        card.wait_until_it_asks_for_a_touch(SOON).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(!waiting.is_finished());
        card.touch(Touch::Grant).unwrap();
        assert!(ok(&waiting.join().unwrap()));
    });

    card.touch(Touch::Refuse).unwrap();
    let started = Instant::now();
    assert_eq!(signature(), "6982");
    assert!(started.elapsed() < SOON, "a refusal must not take the card's timeout");

    card.touch(Touch::Off).unwrap();
    assert!(ok(&signature()));
}

#[test]
fn a_card_pulled_while_it_blinks_gives_no_signature() {
    let machine = machine(1);
    let card = inserted(&machine, 0, "0000000C");
    machine
        .apdus(0, &[SELECT, VERIFY_ADMIN, SIGNING_IS_ED25519, GENERATE_SIGNING, SIGNING_NEEDS_TOUCH])
        .unwrap();
    card.touch(Touch::Require).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| machine.apdus(0, &[SELECT, VERIFY_SIGNING, &sign(32)]));
        card.wait_until_it_asks_for_a_touch(SOON).unwrap();
        card.pull().unwrap();
        // pcscd hands the lost answer on as an empty one.
        let signature = waiting.join().unwrap().map(|answers| answers[2].clone()).unwrap_or_default();
        assert_eq!(signature, "");
    });
    card.wait_until_seen().unwrap();
    card.insert().unwrap();
    card.wait_until_seen().unwrap();
    assert_eq!(machine.apdus(0, &[SELECT, "00200081"]).unwrap()[1], "63C3");
}
