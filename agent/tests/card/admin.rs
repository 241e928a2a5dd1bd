//! PINs changed, cards unblocked, touch set: right, wrong, blocked, hashed, and pulled at every command.

use countersign_tests::{Card, Machine, Touch};
use serde_json::{Value, json};

use crate::probe::{ADMIN_PIN, Certificate, PIN, Probe, card, machine};
use crate::{SELECT, assert_signed, error, hex, set_kdf, verify};

const NEW: &str = "161803";
const NEW_ADMIN: &str = "16180339";
const CODE: &str = "57721566";

fn change(card: &Card<'_>, admin: bool, old: &str, new: &str) -> Value {
    json!({ "do": "change-pin", "card": card.ident(), "admin": admin, "old": old, "new": new })
}

fn unblock_with_code(card: &Card<'_>, code: &str, new: &str) -> Value {
    json!({ "do": "unblock", "card": card.ident(), "code": code, "new": new })
}

fn unblock_with_admin(card: &Card<'_>, admin: &str, new: &str) -> Value {
    json!({ "do": "unblock", "card": card.ident(), "admin": admin, "new": new })
}

fn set_code(card: &Card<'_>, new: Option<&str>) -> Value {
    json!({ "do": "set-reset-code", "card": card.ident(), "admin": ADMIN_PIN, "new": new })
}

#[track_caller]
fn assert_done(answer: &Value) {
    assert_eq!(answer["done"], true, "{answer}");
}

#[track_caller]
fn standing(answer: &Value) -> &str {
    answer["standing"].as_str().unwrap_or("none")
}

/// What the card says to VERIFY of these, one after the other.
fn verifies(machine: &Machine, pins: &[(&str, &str)]) -> Vec<String> {
    let commands: Vec<String> = std::iter::once(SELECT.to_owned())
        .chain(pins.iter().map(|(which, pin)| verify(which, pin)))
        .collect();
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    machine.apdus(0, &commands).unwrap().split_off(1)
}

fn put_in_again(probe: &Probe, card: &Card<'_>) -> Value {
    probe.sees_it_gone(card);
    card.insert().unwrap();
    probe.sees(card)
}

fn block(probe: &Probe, card: &Card<'_>, made: &Certificate) {
    for (shown, last) in [(3, false), (2, false), (1, true)] {
        probe.ask(probe.signing(card, made, "999999", shown, last));
    }
    assert_eq!(probe.sees(card)["tries"], 0);
}

#[test]
fn changed_pins_hold_and_the_old_ones_do_not() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000C01");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    assert_done(&probe.ask(change(&card, false, PIN, NEW)));
    assert_done(&probe.ask(change(&card, true, ADMIN_PIN, NEW_ADMIN)));
    assert_eq!(error(&probe.sign(&card, &made, PIN)), "WrongPin { tries: 2 }");
    assert_signed(&probe.ask(probe.signing(&card, &made, NEW, 2, false)));
    assert_eq!(verifies(&machine, &[("83", ADMIN_PIN), ("83", NEW_ADMIN)]), ["63C2", "9000"]);
}

#[test]
fn a_wrong_pin_is_sent_once_and_changes_nothing() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000C02");
    let probe = Probe::start(&machine);
    probe.generate(&card, "curve25519");
    card.reset_counts().unwrap();
    let answer = probe.ask(change(&card, false, "999999", NEW));
    assert_eq!((error(&answer), standing(&answer)), ("WrongPin { tries: 2 }", "Unchanged"));
    let counts = card.counts().unwrap();
    assert_eq!((counts.of("VERIFY"), counts.of("CHANGE_REFERENCE_DATA")), (1, 0), "{counts:?}");
    let answer = probe.ask(change(&card, true, "99999999", NEW_ADMIN));
    assert_eq!(error(&answer), "WrongAdminPin { tries: 2 }");
    assert!(answer["text"].as_str().unwrap().contains("only a factory reset helps"), "{answer}");
    assert_eq!(verifies(&machine, &[("81", PIN), ("83", ADMIN_PIN)]), ["9000", "9000"]);
}

/// The command has no mark between old and new PIN: the card would find the old one in `27182` and `8…`.
#[test]
fn a_pin_typed_without_its_end_is_not_made_up_from_the_new_one() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000C03");
    let probe = Probe::start(&machine);
    probe.generate(&card, "curve25519");
    // Seven digits, so that six of them pass for a PIN.
    assert_done(&probe.ask(change(&card, false, PIN, "2718281")));
    assert_eq!(error(&probe.ask(change(&card, false, "271828", "1161803"))), "WrongPin { tries: 2 }");
    assert_eq!(verifies(&machine, &[("81", "2718281")]), ["9000"]);
}

#[test]
fn a_resetting_code_typed_without_its_end_is_found_out() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000C04");
    let probe = Probe::start(&machine);
    probe.generate(&card, "curve25519");
    assert_done(&probe.ask(set_code(&card, Some("577215664"))));
    let answer = probe.ask(unblock_with_code(&card, "57721566", "4161803"));
    assert_eq!(standing(&answer), "OtherPin");
    assert!(answer["text"].as_str().unwrap().contains("typed without its end"), "{answer}");
    assert_done(&probe.ask(unblock_with_code(&card, "577215664", "4161803")));
    assert_eq!(verifies(&machine, &[("81", "4161803")]), ["9000"]);
}

#[test]
fn the_last_try_of_every_secret_is_spent_only_on_request() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000C05");
    let probe = Probe::start(&machine);
    probe.generate(&card, "curve25519");
    assert_done(&probe.ask(set_code(&card, Some(CODE))));
    for (mut order, last_try) in [
        (change(&card, false, "999999", NEW), "LastTry"),
        (change(&card, true, "99999999", NEW_ADMIN), "AdminLastTry"),
        (unblock_with_code(&card, "99999999", NEW), "ResetCodeLastTry"),
    ] {
        for shown in [3, 2] {
            order["shown"] = shown.into();
            assert!(error(&probe.ask(order.clone())).starts_with("Wrong"), "{order}");
        }
        card.reset_counts().unwrap();
        order["shown"] = 1.into();
        assert_eq!(error(&probe.ask(order.clone())), last_try);
        // Told three, there is one: whoever is about to type must know.
        order["shown"] = 3.into();
        order["last"] = true.into();
        assert!(error(&probe.ask(order.clone())).starts_with("TriesChanged"), "{order}");
        let counts = card.counts().unwrap();
        assert_eq!((counts.of("VERIFY"), counts.of("RESET_RETRY")), (0, 0), "{counts:?}");
        order["shown"] = 1.into();
        let answer = probe.ask(order);
        assert!(matches!(error(&answer), "Blocked" | "AdminBlocked" | "NoResetCode"), "{answer}");
    }
}

#[test]
fn a_blocked_card_is_unblocked_by_admin_pin_and_by_resetting_code() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000C06");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    block(&probe, &card, &made);
    let answer = probe.ask(change(&card, false, PIN, NEW));
    assert_eq!(error(&answer), "Blocked");
    assert!(answer["text"].as_str().unwrap().contains("countersign card unblock"), "{answer}");
    assert_eq!(error(&probe.ask(unblock_with_code(&card, CODE, NEW))), "NoResetCode");
    assert_done(&probe.ask(unblock_with_admin(&card, ADMIN_PIN, NEW)));
    assert_eq!(probe.sees(&card)["tries"], 3, "what is known of the card was read anew");
    assert_signed(&probe.sign(&card, &made, NEW));

    assert_done(&probe.ask(set_code(&card, Some(CODE))));
    block(&probe, &card, &made);
    let answer = probe.ask(unblock_with_code(&card, "99999999", PIN));
    assert_eq!((error(&answer), standing(&answer)), ("WrongResetCode { tries: 2 }", "Unchanged"));
    let mut again = unblock_with_code(&card, CODE, PIN);
    again["shown"] = 2.into();
    assert_done(&probe.ask(again));
    assert_signed(&probe.sign(&card, &made, PIN));

    assert_done(&probe.ask(set_code(&card, None)));
    assert_eq!(error(&probe.ask(unblock_with_code(&card, CODE, NEW))), "NoResetCode");
}

#[test]
fn a_card_that_wants_hashed_pins_gets_hashes_for_every_change() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000C07");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    set_kdf(&machine);
    card.pull().unwrap();
    put_in_again(&probe, &card);
    assert_eq!(probe.ask(json!({ "do": "details", "card": card.ident() }))["hashed"], true);
    assert_done(&probe.ask(change(&card, false, PIN, NEW)));
    assert_signed(&probe.sign(&card, &made, NEW));
    assert_done(&probe.ask(set_code(&card, Some(CODE))));
    block(&probe, &card, &made);
    assert_done(&probe.ask(unblock_with_code(&card, CODE, PIN)));
    assert_signed(&probe.sign(&card, &made, PIN));
    block(&probe, &card, &made);
    assert_done(&probe.ask(unblock_with_admin(&card, ADMIN_PIN, NEW)));
    assert_signed(&probe.sign(&card, &made, NEW));
    assert_done(&probe.ask(change(&card, true, ADMIN_PIN, NEW_ADMIN)));
    assert_eq!(error(&probe.ask(unblock_with_admin(&card, ADMIN_PIN, NEW))), "WrongAdminPin { tries: 2 }");
    // Nothing went to the card as it was typed: a plain PIN is a wrong one now.
    assert_eq!(verifies(&machine, &[("81", NEW)]), ["63C2"]);
}

/// Pulls the card at each command of an order, before it does it and after, until the order gets through. What the
/// error says about the PIN must be true, and the command works when it is run again.
fn pulled_everywhere(
    serial: &str,
    order: impl Fn(&Card<'_>, &str, &str) -> Value,
    which: &str,
    old: &str,
    new: &str,
) -> Vec<String> {
    let machine = machine(1);
    let card = card(&machine, 0, serial);
    let probe = Probe::start(&machine);
    probe.generate(&card, "nist-p256");
    assert_done(&probe.ask(set_code(&card, Some(CODE))));
    let (mut holds, mut next) = (old, new);
    let mut said = Vec::new();
    for nth in 1.. {
        for after in [false, true] {
            if after { card.pull_after(nth) } else { card.pull_at(nth) }.unwrap();
            let answer = probe.ask(order(&card, holds, next));
            if answer["done"] == true {
                card.clear_faults().unwrap();
                return said;
            }
            assert_eq!(error(&answer), "Gone", "{answer}");
            put_in_again(&probe, &card);
            let is_new = verifies(&machine, &[(which, next)]) == ["9000"];
            let is_old = verifies(&machine, &[(which, holds)]) == ["9000"];
            let standing = standing(&answer);
            match standing {
                "Unchanged" => assert!(is_old, "at command {nth}: {answer}"),
                "Unblocked" => assert!(is_new, "at command {nth}: {answer}"),
                unsure => assert!(unsure.starts_with("Unsure") && (is_old || is_new), "{answer}"),
            }
            said.push(standing.to_owned());
            if is_new {
                (holds, next) = (next, holds);
            }
            // Looking at what holds has cost tries.
            assert_eq!(verifies(&machine, &[(which, holds)]), ["9000"]);
        }
    }
    said
}

fn uniq(mut said: Vec<String>) -> Vec<String> {
    said.dedup();
    said
}

#[test]
fn a_card_pulled_at_any_command_of_a_pin_change_says_which_pin_holds() {
    let user = |card: &Card<'_>, old: &str, new: &str| change(card, false, old, new);
    assert_eq!(uniq(pulled_everywhere("00000C08", user, "81", PIN, NEW)), ["Unchanged", "Unsure(User)"]);
    let admin = |card: &Card<'_>, old: &str, new: &str| change(card, true, old, new);
    let said = pulled_everywhere("00000C09", admin, "83", ADMIN_PIN, NEW_ADMIN);
    assert_eq!(uniq(said), ["Unchanged", "Unsure(Admin)"]);
}

#[test]
fn a_card_pulled_at_any_command_of_an_unblocking_says_which_pin_holds() {
    let admin = |card: &Card<'_>, _: &str, new: &str| unblock_with_admin(card, ADMIN_PIN, new);
    assert_eq!(uniq(pulled_everywhere("00000C0A", admin, "81", PIN, NEW)), ["Unchanged", "Unsure(User)"]);
    let code = |card: &Card<'_>, _: &str, new: &str| unblock_with_code(card, CODE, new);
    let said = pulled_everywhere("00000C0B", code, "81", PIN, NEW);
    assert_eq!(uniq(said), ["Unchanged", "Unsure(User)", "Unblocked"]);
}

#[test]
fn touch_is_wanted_once_it_is_set_and_fixed_stays() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000C0C");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    let set = |policy: &str, keys: &[&str]| {
        probe.ask(json!({
            "do": "set-touch", "card": card.ident(), "admin": ADMIN_PIN, "keys": keys, "policy": policy,
        }))
    };
    assert_done(&set("on", &["signature", "decryption"]));
    assert_eq!(probe.sees(&card)["touch"], true, "what is known of the card was read anew");
    card.touch(Touch::Refuse).unwrap();
    assert_eq!(error(&probe.sign(&card, &made, PIN)), "TouchTimeout");
    card.touch(Touch::Off).unwrap();
    assert_signed(&probe.sign(&card, &made, PIN));
    assert_done(&set("off", &["signature"]));
    assert_eq!(probe.sees(&card)["touch"], false);

    // The firmware under test is not Yubico's.
    let answer = set("cached", &["signature"]);
    assert!(error(&answer).starts_with("Unsupported"), "{answer}");
    assert_eq!(standing(&answer), "Unchanged");
    let answer = set("on", &["attestation"]);
    assert!(error(&answer).starts_with("Unsupported"), "{answer}");

    assert_done(&set("fixed", &["signature"]));
    card.reset_counts().unwrap();
    let answer = set("off", &["signature"]);
    assert_eq!(error(&answer), "TouchFixed(Signature)");
    assert_eq!(card.counts().unwrap().of("VERIFY"), 0, "no PIN is sent for what cannot be done");
    let details = probe.ask(json!({ "do": "details", "card": card.ident() }));
    let policies: Vec<&str> =
        details["keys"].as_array().unwrap().iter().map(|key| key["touch"].as_str().unwrap()).collect();
    assert_eq!(policies, ["fixed", "on", "off"]);
}

#[test]
fn a_card_pulled_at_any_command_of_a_touch_policy_says_that_it_may_be_new() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000C0D");
    let probe = Probe::start(&machine);
    probe.generate(&card, "nist-p256");
    let mut said = Vec::new();
    for nth in 1.. {
        card.pull_at(nth).unwrap();
        let answer = probe.ask(json!({
            "do": "set-touch", "card": card.ident(), "admin": ADMIN_PIN,
            "keys": ["signature", "decryption"], "policy": "on",
        }));
        if answer["done"] == true {
            card.clear_faults().unwrap();
            break;
        }
        assert_eq!(error(&answer), "Gone", "{answer}");
        let seen = put_in_again(&probe, &card);
        assert!(standing(&answer) == "Touch" || seen["touch"] == false, "{answer}");
        said.push(standing(&answer).to_owned());
    }
    assert_eq!(uniq(said), ["Unchanged", "Touch"]);
}

#[test]
fn details_are_what_gpg_says_and_cost_no_pin() {
    let machine = machine(1);
    let card = card(&machine, 0, "00000C0E");
    let probe = Probe::start(&machine);
    let made = probe.generate(&card, "curve25519");
    let name = hex("Muster<<Ana<Maria");
    let put_name = format!("00DA005B{:02X}{name}", name.len() / 2);
    let url = hex("https://example.org/ana.asc");
    let put_url = format!("00DA5F50{:02X}{url}", url.len() / 2);
    machine.apdus(0, &[SELECT, &verify("83", ADMIN_PIN), &put_name, &put_url]).unwrap();
    card.reset_counts().unwrap();
    let details = probe.ask(json!({ "do": "details", "card": card.ident() }));
    assert_eq!(card.counts().unwrap().of("VERIFY"), 0);
    assert_eq!(details["cardholder"], "Ana Maria Muster", "{details}");
    assert_eq!(details["url"], "https://example.org/ana.asc");
    assert_eq!(details["specification"], json!([3, 4]));
    assert_eq!(details["keys"][0]["fingerprint"], made.fingerprint.as_str());
    assert_eq!(details["keys"][0]["algorithm"], "Ed25519");
    assert_eq!(details["keys"][1]["algorithm"], "X25519");
    assert_eq!(details["keys"][2]["made_on_card"], true);
    assert_eq!(details["tries"], json!({ "user": 3, "reset_code": 0, "admin": 3 }));
    assert_eq!((&details["forced"], &details["hashed"]), (&true.into(), &false.into()));
    assert!(details["signatures"].as_u64().unwrap() >= 3, "the certificate's own");
    let created = details["keys"][0]["created"].as_str().unwrap().to_owned();
    machine.write("/run/home/root/.gnupg/scdaemon.conf", "disable-ccid\n", 0o600).unwrap();
    let gpg = machine.command("gpg").args(["--batch", "--card-status"]).output().unwrap();
    let said = String::from_utf8_lossy(&gpg.stdout).into_owned();
    assert!(gpg.status.success(), "{}", String::from_utf8_lossy(&gpg.stderr));
    for words in ["Ana Maria Muster", "https://example.org/ana.asc", "ed25519 cv25519 ed25519", "3 0 3"] {
        assert!(said.contains(words), "{words} is missing:\n{said}");
    }
    let day = created.split('T').next().unwrap();
    assert!(said.contains(&format!("created ....: {day}")), "{created}\n{said}");
}
