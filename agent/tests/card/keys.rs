//! Keys made on a card, and the certificates around them.

use countersign_protocol::certificate;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_tests::Card;
use serde_json::json;

use crate::probe::{ADMIN_PIN, Certificate, PIN, Probe, card, gpg, machine};
use crate::{SELECT, assert_signed, error, hex, verify};

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
    assert_eq!(card.counts().unwrap().of("GENERATE"), 0);
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
fn adopted_certificate_must_fit_the_card() {
    let machine = machine(2);
    let (ana, bob) = (card(&machine, 0, "000000A0"), card(&machine, 1, "000000A1"));
    let probe = Probe::start(&machine);
    let (anas, bobs) = (probe.generate(&ana, "nist-p256"), probe.generate(&bob, "curve25519"));
    let adopt = |card: &Card<'_>, certificate: &Certificate| {
        probe.ask(json!({ "do": "adopt", "card": card.ident(), "cert": certificate.path }))
    };
    assert_eq!(adopt(&ana, &anas)["key"], anas.fingerprint.as_str());
    assert!(error(&adopt(&ana, &bobs)).starts_with("NotAdoptable"));
}
