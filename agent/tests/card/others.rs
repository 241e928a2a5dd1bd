//! Other programs that use the same card.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use countersign_tests::{CardSpec, Machine, Touch, target_bin, wait_until};
use serde_json::json;

use crate::probe::{ADMIN_PIN, PIN, Probe, card, machine};
use crate::{SELECT, assert_signed, error, set_kdf, verify};

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
    assert!(error(&answer).starts_with("InUse"), "{answer}");
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
    assert!(list["problem"].as_str().unwrap().starts_with("InUse"), "{list}");
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
fn a_pin_that_another_program_used_is_told_from_a_wrong_one() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000042");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    // What the card says to the signature when another one was made with the PIN before it.
    card.fail_next("PSO_CDS", 0x6982).unwrap();
    let answer = probe.sign(&card, &made, PIN);
    assert_eq!(error(&answer), "PinTaken", "{answer}");
    assert!(answer["text"].as_str().unwrap().contains("another program"), "{answer}");
    assert_signed(&probe.sign(&card, &made, PIN));
}

/// How long a card lies unused before the next login is a cold one.
const COLD: Duration = Duration::from_millis(400);

fn quickly_cold(machine: &Machine) -> Probe {
    Probe::with_timing(machine, Duration::from_secs(20), Duration::from_millis(100))
}

#[test]
fn a_card_told_to_want_hashes_while_it_is_in_gets_them_and_no_try_is_lost() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000043");
    let probe = quickly_cold(&machine);
    let made = probe.generate(&card, "curve25519");
    std::thread::sleep(COLD);
    set_kdf(&machine);
    assert_signed(&probe.sign(&card, &made, PIN));
    let change =
        json!({ "do": "change-pin", "card": card.ident(), "admin": false, "old": PIN, "new": "161803" });
    let done = probe.ask(change);
    assert_eq!(error(&done), "none", "{done}");
    assert_signed(&probe.sign(&card, &made, "161803"));
}

#[test]
fn a_program_that_is_at_a_card_of_a_moment_ago_has_it_read_anew() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000044");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    assert_signed(&probe.sign(&card, &made, PIN));
    // Not for itself alone, and for longer than a moment.
    let mut other = machine
        .command(target_bin("countersign-pcsc-probe").unwrap())
        .args(["steal", &card.reader_name(), "stay"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    drop(other.stdin.take());
    other.wait().unwrap();
    set_kdf(&machine);
    assert_signed(&probe.sign(&card, &made, PIN));
}

#[test]
fn a_key_that_another_program_put_on_the_card_is_seen_and_gets_no_pin() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000045");
    let probe = quickly_cold(&machine);
    let made = probe.generate(&card, "curve25519");
    std::thread::sleep(COLD);
    let other = "AB".repeat(20);
    put(&machine, &format!("00DA00C714{other}"));
    card.reset_counts().unwrap();
    let answer = probe.sign(&card, &made, PIN);
    assert!(error(&answer).starts_with("KeyMismatch"), "{answer}");
    assert_eq!(card.counts().unwrap().of("VERIFY"), 0);
    assert_eq!(probe.sees(&card)["signing_key"], other.as_str());
}

#[test]
fn a_certificate_is_held_against_the_card_as_it_is_now() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000046");
    let probe = quickly_cold(&machine);
    let made = probe.generate(&card, "curve25519");
    put(&machine, &format!("00DA00C714{}", "AB".repeat(20)));
    card.pull().unwrap();
    probe.sees_it_gone(&card);
    card.insert().unwrap();
    probe.sees(&card);
    // What gpg writes last when it puts a key on a card.
    put(&machine, &format!("00DA00C714{}", made.fingerprint));
    let adopted = probe.ask(json!({ "do": "adopt", "card": card.ident(), "cert": made.path }));
    assert_eq!(error(&adopted), "none", "{adopted}");
    assert_eq!(probe.sees(&card)["signing_key"], made.fingerprint.as_str());
}

#[test]
fn a_touch_wanted_since_the_card_was_put_in_is_missed_by_its_name() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000047");
    let probe = quickly_cold(&machine);
    let made = probe.generate(&card, "curve25519");
    std::thread::sleep(COLD);
    put(&machine, "00DA00D6020120");
    card.touch(Touch::Refuse).unwrap();
    assert_eq!(error(&probe.sign(&card, &made, PIN)), "TouchTimeout");
    assert_eq!(probe.sees(&card)["touch"], true);
}

/// Has another program change the card, with the admin's PIN.
fn put(machine: &Machine, command: &str) {
    let answers = machine.apdus(0, &[SELECT, &verify("83", ADMIN_PIN), command]).unwrap();
    assert_eq!(answers[1..], ["9000"; 2]);
}

#[test]
fn of_two_cards_with_one_number_neither_gets_the_pin() {
    let machine = machine(2);
    let ana = card(&machine, 0, "00000048");
    let probe = quickly_cold(&machine);
    let made = probe.generate(&ana, "curve25519");
    let copy = machine.card(1, CardSpec::new("00000048")).unwrap();
    copy.wait_until_seen().unwrap();
    wait_until("the copy to be read", Duration::from_secs(20), || {
        let list = probe.ask(json!({ "do": "list" }));
        let same = list["cards"].as_array().unwrap().iter().filter(|seen| seen["ident"] == ana.ident());
        Ok((same.count() == 2).then_some(()))
    })
    .unwrap();
    let answer = probe.sign(&ana, &made, PIN);
    assert!(error(&answer).starts_with("Twice"), "{answer}");
    assert_eq!(copy.counts().unwrap().of("VERIFY"), 0);
    copy.pull().unwrap();
    copy.wait_until_seen().unwrap();
    wait_until("the copy to be gone", Duration::from_secs(20), || {
        let list = probe.ask(json!({ "do": "list" }));
        Ok((list["cards"].as_array().unwrap().len() == 1).then_some(()))
    })
    .unwrap();
    assert_signed(&probe.sign(&ana, &made, PIN));
}
