//! A command line that is wrong ends with 2 and says what is wrong with it.

use crate::program::countersign;

const FINGERPRINT: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

#[test]
fn unknown_words_and_flags_are_named() {
    countersign(&["logn"]).refused(2, &["logn", "login"]);
    countersign(&["status", "--jsn"]).refused(2, &["--jsn", "--json"]);
    countersign(&["card"]).refused(2, &["Usage", "list"]);
    countersign(&[]).refused(2, &["Usage"]);
}

#[test]
fn a_mistake_is_json_when_json_was_asked_for() {
    let ended = countersign(&["--json", "status", "surplus"]);
    ended.refused(2, &["surplus"]);
    assert_eq!(ended.error()["kind"], "usage");
}

#[test]
fn enroll_demands_the_fingerprint() {
    countersign(&["enroll", "--bundle", "b.json", "--sealed"]).refused(2, &["--server-fingerprint"]);
    let short = ["enroll", "--bundle", "b.json", "--sealed", "--server-fingerprint", "0123"];
    countersign(&short).refused(2, &["full key fingerprint"]);
}

#[test]
fn enroll_wants_exactly_one_key_store() {
    let enroll = ["enroll", "--bundle", "b.json", "--server-fingerprint", FINGERPRINT];
    countersign(&enroll).refused(2, &["--card", "--sealed"]);
    let both = [&enroll[..], &["--card", "FFFE:00000001", "--sealed"]].concat();
    countersign(&both).refused(2, &["cannot be used with"]);
}

#[test]
fn enroll_takes_one_token_from_one_place() {
    let words = ["enroll", "--bundle", "b", "--server-fingerprint", FINGERPRINT, "--sealed"];
    let both = [&words[..], &["--token", "T", "--token-file", "f"]].concat();
    countersign(&both).refused(2, &["cannot be used with"]);
}

#[test]
fn names_that_are_none_are_refused_with_the_form_they_should_have() {
    countersign(&["register", "Ana"]).refused(2, &["an account name"]);
    countersign(&["register", "ana", "--card", "1234"]).refused(2, &["a card number", "0006:12345678"]);
    countersign(&["register", "ana", "--algorithm", "dsa"]).refused(2, &["curve25519", "rsa4096"]);
    countersign(&["register", "ana", "--email", "ana"]).refused(2, &["a mail address"]);
    countersign(&["register", "ana", "--sms", "0151 234567"])
        .refused(2, &["a telephone number with its country"]);
    countersign(&["contact", "add", "ana", "ana@example.org,eve@example.org"])
        .refused(2, &["a mail address"]);
    countersign(&["login", "try", "a:b"]).refused(2, &["a login name"]);
    countersign(&["login", "try", "--service", "../su"]).refused(2, &["a PAM service name"]);
    countersign(&["admin", "user", "add", "ana", "--role", "king"]).refused(2, &["administrator", "auditor"]);
    countersign(&["admin", "token", "add", "a/b"]).refused(2, &["enrolment-token/a/b", "one slash"]);
    countersign(&["admin", "host", "approve", "web1.example.org"])
        .refused(2, &["6 words", "countersign status"]);
}

#[test]
fn whoever_registers_alone_does_so_in_one_way_and_with_a_first_card() {
    for words in [
        &["register", "ana", "--email", "ana@example.org", "--totp"][..],
        &["register", "ana", "--email", "ana@example.org", "--sms", "+491512345678"],
        &["register", "ana", "--second", "--totp"],
    ] {
        countersign(words).refused(2, &["cannot be used with"]);
    }
}

#[test]
fn a_key_is_generated_or_adopted_not_both() {
    let words = ["register", "ana", "--algorithm", "rsa4096", "--adopt", "ana.asc"];
    countersign(&words).refused(2, &["cannot be used with"]);
}
