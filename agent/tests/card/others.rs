//! Other programs that use the same card.

use std::path::Path;
use std::time::Duration;

use countersign_tests::Machine;
use serde_json::json;

use crate::probe::{ADMIN_PIN, PIN, Probe, card, machine};
use crate::{SELECT, assert_signed, error, verify};

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
