//! What is sealed to a person's certificate, opened with their card.

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_protocol::certificate;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::envelope::seal_to_card;
use countersign_tests::{Card, Damage, Machine, Touch};
use serde_json::{Value, json};

use crate::probe::{ADMIN_PIN, Certificate, PIN, Probe, card, machine};
use crate::{SELECT, error, set_kdf, verify};

const RESULT: &[u8] = br#"{"weight":71}"#;

/// Something sealed to this certificate, as the server does it.
fn sealed(machine: &Machine, to: &Certificate) -> PathBuf {
    let cert = certificate::parse(&std::fs::read(&to.path).unwrap()).unwrap();
    let path = machine.scratch().join(format!("{}.sealed", to.fingerprint));
    std::fs::write(&path, seal_to_card(&cert, RESULT, SystemClock.now()).unwrap()).unwrap();
    path
}

fn out(machine: &Machine) -> PathBuf {
    machine.scratch().join("opened")
}

fn opening(machine: &Machine, card: &Card<'_>, sealed: &Path, pin: &str, shown: u8) -> Value {
    let _ = std::fs::remove_file(out(machine));
    json!({
        "do": "open", "card": card.ident(), "sealed": sealed, "pin": pin, "shown": shown, "out": out(machine),
    })
}

#[track_caller]
fn assert_opened(machine: &Machine, answer: &Value) {
    assert_eq!(answer["opened"], true, "{answer}");
    assert_eq!(std::fs::read(out(machine)).unwrap(), RESULT);
}

/// Another program cannot decipher anything with a PIN that was left open.
fn assert_closed(machine: &Machine) {
    let decipher = format!("002A8086{:02X}A6257F49228620{}00", 39, "09".repeat(32));
    let answers = machine.apdus(0, &[SELECT, &decipher]).unwrap();
    assert_eq!(answers[1], "6982", "the PIN is open to others");
}

fn card_opens_what_is_sealed_to_it(algorithm: &str, serial: &str) {
    let machine = machine(1);
    let card = card(&machine, 0, serial);
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, algorithm);
    let sealed = sealed(&machine, &made);
    card.reset_counts().unwrap();
    assert_opened(&machine, &probe.ask(opening(&machine, &card, &sealed, PIN, 3)));
    let counts = card.counts().unwrap();
    assert_eq!((counts.of("VERIFY"), counts.of("PSO_CDS")), (1, 0), "{counts:?}");
    assert!(counts.of("PSO_DEC") > 0, "{counts:?}");
    assert_closed(&machine);
    // Once more, now that the card is warm, and by the PIN of a signature.
    let answer = probe.ask(json!({
        "do": "sign-and-open", "card": card.ident(), "cert": made.path, "sealed": sealed, "pin": PIN,
        "out": out(&machine),
    }));
    assert_opened(&machine, &answer);
    assert_closed(&machine);
    assert_eq!(card.counts().unwrap().refused_pins, 0);
}

#[test]
fn curve25519_card_opens_what_is_sealed_to_it() {
    card_opens_what_is_sealed_to_it("curve25519", "0000D255");
}

#[test]
fn p256_card_opens_what_is_sealed_to_it() {
    card_opens_what_is_sealed_to_it("nist-p256", "0000D256");
}

#[test]
fn p384_card_opens_what_is_sealed_to_it() {
    card_opens_what_is_sealed_to_it("nist-p384", "0000D384");
}

#[test]
fn rsa2048_card_opens_what_is_sealed_to_it() {
    card_opens_what_is_sealed_to_it("rsa2048", "0000D048");
}

#[test]
fn rsa3072_card_opens_what_is_sealed_to_it() {
    card_opens_what_is_sealed_to_it("rsa3072", "0000D072");
}

#[test]
fn gnupg_opens_it_with_the_same_card() {
    let machine = machine(1);
    let card = card(&machine, 0, "0000D001");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    let sealed = sealed(&machine, &made);
    let home = machine.scratch().join("gnupg");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(home.join("scdaemon.conf"), "disable-ccid\n").unwrap();
    let gpg = |args: &[&str]| {
        let mut command = machine.command("gpg");
        command.args(["--batch", "--quiet", "--trust-model=always", "--pinentry-mode=loopback", "--homedir"]);
        let done = command.arg(&home).args(args).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    };
    gpg(&["--import", made.path.to_str().unwrap()]);
    gpg(&["--card-status"]);
    assert_eq!(gpg(&["--passphrase", PIN, "--decrypt", sealed.to_str().unwrap()]), RESULT);
    machine.command("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"]).output().unwrap();
}

#[test]
fn wrong_pin_is_counted_and_told_and_opens_nothing() {
    let machine = machine(1);
    let card = card(&machine, 0, "0000D002");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    let sealed = sealed(&machine, &made);
    let answer = probe.ask(opening(&machine, &card, &sealed, "999999", 3));
    assert_eq!(error(&answer), "Card(WrongPin { tries: 2 })");
    assert_eq!(answer["text"], "wrong PIN; 2 tries left before the card blocks itself");
    assert!(!out(&machine).exists());
    assert_eq!(probe.sees(&card)["tries"], 2);
    // Whoever was told of three tries is asked again, and nothing is sent.
    let answer = probe.ask(opening(&machine, &card, &sealed, PIN, 3));
    assert_eq!(error(&answer), "Card(TriesChanged { shown: 3, now: 2 })");
    // A PIN that a job kept is not sent after somebody mistyped, either.
    let kept = probe.ask(json!({
        "do": "sign-and-open", "card": card.ident(), "cert": made.path, "sealed": sealed, "pin": "999999",
        "out": out(&machine),
    }));
    assert_eq!(error(&kept), "TriesChanged { shown: 3, now: 2 }");
    assert_eq!(card.counts().unwrap().refused_pins, 1);
    assert_opened(&machine, &probe.ask(opening(&machine, &card, &sealed, PIN, 2)));
    assert_eq!(probe.ask(json!({ "do": "tries", "card": card.ident() }))["tries"], 3);
}

#[test]
fn other_card_gets_no_pin_and_is_told_from_the_right_one() {
    let machine = machine(3);
    let (ana, bob, empty) =
        (card(&machine, 0, "0000D003"), card(&machine, 1, "0000D004"), card(&machine, 2, "0000D005"));
    let probe = Probe::start(&machine);
    let (anas, bobs) = (probe.generate(&ana, "curve25519"), probe.generate(&bob, "nist-p256"));
    probe.sees(&empty);
    let sealed = sealed(&machine, &anas);
    for card in [&bob, &empty] {
        card.reset_counts().unwrap();
    }
    let answer = probe.ask(opening(&machine, &bob, &sealed, PIN, 3));
    assert!(error(&answer).starts_with("Sealed(OtherKey"), "{answer}");
    assert!(answer["text"].as_str().unwrap().contains("put in the card that holds that key"), "{answer}");
    let answer = probe.ask(opening(&machine, &empty, &sealed, PIN, 3));
    assert_eq!(error(&answer), "Card(NoDecryptionKey)");
    for card in [&bob, &empty] {
        assert_eq!(card.counts().unwrap().of("VERIFY"), 0);
    }
    // It is the key that counts, and not that the certificate's holder has a card.
    let bobs_key = probe.sees(&bob)["decryption_key"].clone();
    assert_ne!(bobs_key, bobs.fingerprint.as_str());
    assert_ne!(bobs_key, probe.sees(&ana)["decryption_key"]);
    assert_opened(&machine, &probe.ask(opening(&machine, &ana, &sealed, PIN, 3)));
}

#[test]
fn key_whose_fingerprint_is_anothers_gets_no_pin() {
    let machine = machine(1);
    let card = card(&machine, 0, "0000D006");
    let probe = Probe::with_timing(&machine, Duration::from_secs(20), Duration::from_millis(100));
    let made = probe.generate(&card, "curve25519");
    let sealed = sealed(&machine, &made);
    std::thread::sleep(Duration::from_millis(400));
    let put = format!("00DA00C814{}", "AB".repeat(20));
    assert_eq!(machine.apdus(0, &[SELECT, &verify("83", ADMIN_PIN), &put]).unwrap()[1..], ["9000"; 2]);
    card.reset_counts().unwrap();
    let answer = probe.ask(opening(&machine, &card, &sealed, PIN, 3));
    assert!(error(&answer).starts_with("Card(UnsupportedKey"), "{answer}");
    assert_eq!(card.counts().unwrap().of("VERIFY"), 0);
}

#[test]
fn touch_is_seen_beforehand_and_waited_for() {
    let machine = machine(1);
    let card = card(&machine, 0, "0000D007");
    let probe = Probe::with_timing(&machine, Duration::from_secs(20), Duration::from_millis(100));
    let made = probe.generate(&card, "curve25519");
    let sealed = sealed(&machine, &made);
    let set = json!({
        "do": "set-touch", "card": card.ident(), "admin": ADMIN_PIN, "keys": ["decryption"], "policy": "on",
    });
    assert_eq!(probe.ask(set)["done"], true);
    let seen = probe.sees(&card);
    assert_eq!((&seen["touch"], &seen["decryption_touch"]), (&json!(false), &json!(true)), "{seen}");
    card.touch(Touch::Require).unwrap();
    let waiting = probe.order(opening(&machine, &card, &sealed, PIN, 3));
    card.wait_until_it_asks_for_a_touch(Duration::from_secs(20)).unwrap();
    card.touch(Touch::Grant).unwrap();
    assert_opened(&machine, &probe.answer(waiting));
    card.touch(Touch::Refuse).unwrap();
    let answer = probe.ask(opening(&machine, &card, &sealed, PIN, 3));
    assert_eq!(error(&answer), "Card(TouchTimeout)");
    assert_eq!(probe.sees(&card)["tries"], 3);
    assert_closed(&machine);
}

#[test]
fn card_that_wants_hashed_pins_opens_with_one() {
    let machine = machine(1);
    let card = card(&machine, 0, "0000D008");
    let probe = Probe::with_timing(&machine, Duration::from_secs(20), Duration::from_millis(100));
    let made = probe.generate(&card, "nist-p256");
    let sealed = sealed(&machine, &made);
    std::thread::sleep(Duration::from_millis(400));
    set_kdf(&machine);
    assert_opened(&machine, &probe.ask(opening(&machine, &card, &sealed, PIN, 3)));
}

#[test]
fn what_is_damaged_on_its_way_is_refused_and_leaves_no_pin_open() {
    let machine = machine(1);
    let card = card(&machine, 0, "0000D009");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    let whole = sealed(&machine, &made);
    assert_opened(&machine, &probe.ask(opening(&machine, &card, &whole, PIN, 3)));
    // PIN status, public key, PIN status, VERIFY: the fifth is the secret.
    for (damage, expected) in [
        (Damage::Half, "Card(Malformed"),
        (Damage::NoData, "Card(Malformed"),
        (Damage::Garbage, "Card(NotDeciphered"),
    ] {
        card.damage(5, damage).unwrap();
        let answer = probe.ask(opening(&machine, &card, &whole, PIN, 3));
        assert!(error(&answer).starts_with(expected), "{damage:?}: {answer}");
        card.clear_faults().unwrap();
        assert_closed(&machine);
        assert_opened(&machine, &probe.ask(opening(&machine, &card, &whole, PIN, 3)));
    }
    // The last byte of the sealed session key: the card gives a secret, and it opens nothing.
    let mut bytes = std::fs::read(&whole).unwrap();
    let end = 1 + usize::from(bytes[1]);
    bytes[end] ^= 1;
    let damaged = machine.scratch().join("damaged");
    std::fs::write(&damaged, &bytes).unwrap();
    let answer = probe.ask(opening(&machine, &card, &damaged, PIN, 3));
    assert_eq!(error(&answer), "Card(NotDeciphered)");
    assert!(answer["text"].as_str().unwrap().contains("ask for it once more"), "{answer}");
    // What is none at all is no matter of a card's.
    std::fs::write(&damaged, b"no message").unwrap();
    card.reset_counts().unwrap();
    let answer = probe.ask(opening(&machine, &card, &damaged, PIN, 3));
    assert!(error(&answer).starts_with("Sealed(Structure"), "{answer}");
    assert_eq!(card.counts().unwrap().of("VERIFY"), 0);
    assert!(!out(&machine).exists());
}

#[test]
fn card_that_is_pulled_at_any_command_is_gone_and_opens_when_it_is_back() {
    let machine = machine(1);
    let card = card(&machine, 0, "0000D010");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    let sealed = sealed(&machine, &made);
    assert_opened(&machine, &probe.ask(opening(&machine, &card, &sealed, PIN, 3)));
    for nth in 1..=5 {
        card.pull_at(nth).unwrap();
        let answer = probe.ask(opening(&machine, &card, &sealed, PIN, 3));
        assert_eq!(error(&answer), "Card(Gone)", "at command {nth}: {answer}");
        probe.sees_it_gone(&card);
        card.insert().unwrap();
        probe.sees(&card);
        assert_opened(&machine, &probe.ask(opening(&machine, &card, &sealed, PIN, 3)));
    }
}

/// As the agent does it, with somebody at the other end who types `answers`.
fn for_person(machine: &Machine, sealed: &Path, kept: Option<(&Card<'_>, &str)>, answers: &[&str]) -> Value {
    let _ = std::fs::remove_file(out(machine));
    json!({
        "do": "open-for-person", "sealed": sealed, "answers": answers, "out": out(machine),
        "kept": kept.map(|(card, pin)| json!([card.ident(), pin])),
    })
}

fn machine_with_an_agent(readers: usize) -> Machine {
    let machine = machine(readers);
    machine.add_user("countersign-courier", 987).unwrap();
    machine
}

#[test]
fn pin_of_the_signature_opens_the_result_without_a_question() {
    let machine = machine_with_an_agent(1);
    let card = card(&machine, 0, "0000D011");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    let sealed = sealed(&machine, &made);
    let answer = probe.ask(for_person(&machine, &sealed, Some((&card, PIN)), &[]));
    assert_opened(&machine, &answer);
    assert_eq!(answer["said"], json!([]));
    // Without one it is asked for, with what is left of tries.
    let answer = probe.ask(for_person(&machine, &sealed, None, &[PIN]));
    assert_opened(&machine, &answer);
    assert_eq!(answer["said"], json!(["PIN for card …D011 (3 tries left): "]));
    let answer = probe.ask(for_person(&machine, &sealed, None, &["999999"]));
    assert_eq!(answer["text"], "Wrong PIN; 2 tries left before the card blocks itself.", "{answer}");
    assert_eq!(answer["error"], "Card");
    // A kept PIN was right when three were left: it is not tried now.
    let answer = probe.ask(for_person(&machine, &sealed, Some((&card, PIN)), &[]));
    assert!(answer["text"].as_str().unwrap().contains("2 tries left instead of 3"), "{answer}");
    // Whoever gives up has spent nothing.
    let answer = probe.ask(for_person(&machine, &sealed, None, &[]));
    assert_eq!((&answer["error"], &answer["text"]), (&json!("Cancelled"), &json!("Cancelled.")));
    let answer = probe.ask(for_person(&machine, &sealed, None, &[PIN]));
    assert_opened(&machine, &answer);
    assert_eq!(answer["said"], json!(["PIN for card …D011 (2 tries left): "]));
}

#[test]
fn touch_is_asked_for_when_the_result_is_to_be_opened() {
    let machine = machine_with_an_agent(1);
    let card = card(&machine, 0, "0000D012");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    let sealed = sealed(&machine, &made);
    let set = json!({
        "do": "set-touch", "card": card.ident(), "admin": ADMIN_PIN, "keys": ["decryption"], "policy": "on",
    });
    assert_eq!(probe.ask(set)["done"], true);
    probe.sees(&card);
    let answer = probe.ask(for_person(&machine, &sealed, Some((&card, PIN)), &[]));
    assert_opened(&machine, &answer);
    assert_eq!(answer["said"], json!(["Touch card …D012 to open the result."]));
    card.touch(Touch::Refuse).unwrap();
    let answer = probe.ask(for_person(&machine, &sealed, Some((&card, PIN)), &[]));
    assert!(answer["text"].as_str().unwrap().contains("was not touched in time"), "{answer}");
}

#[test]
fn card_that_holds_the_key_is_asked_for_and_the_one_that_signed_gets_no_pin() {
    let machine = machine_with_an_agent(2);
    let (ana, bob) = (card(&machine, 0, "0000D013"), card(&machine, 1, "0000D014"));
    let probe = Probe::start(&machine);
    let anas = probe.generate(&ana, "curve25519");
    probe.generate(&bob, "nist-p256");
    let sealed = sealed(&machine, &anas);
    ana.pull().unwrap();
    probe.sees_it_gone(&ana);
    bob.reset_counts().unwrap();
    let waiting = probe.order(for_person(&machine, &sealed, Some((&bob, PIN)), &[PIN]));
    std::thread::sleep(Duration::from_secs(1));
    ana.insert().unwrap();
    let answer = probe.answer(waiting);
    assert_opened(&machine, &answer);
    let said: Vec<&str> =
        answer["said"].as_array().unwrap().iter().map(|said| said.as_str().unwrap()).collect();
    let [insert, question] = said.as_slice() else { panic!("{said:?}") };
    assert!(insert.contains("no card that is in holds. Insert the card that does."), "{insert}");
    assert_eq!(*question, "PIN for card …D013 (3 tries left): ");
    assert_eq!(bob.counts().unwrap().of("VERIFY"), 0);
}
