//! Policies by service, place and time: the examples of `docs/policy.md`, each held to what it says.

use super::*;

/// The document.
const DOCUMENT: &str = include_str!("../../../../../docs/policy.md");

/// The example with this id, as it stands there, below the default policy.
fn example(id: &str) -> PolicySet {
    let begin = DOCUMENT.find(&format!("@id(\"{id}\")")).unwrap();
    let text = &DOCUMENT[begin..];
    let text = &text[..text.find("```").unwrap()];
    set(format!("{DEFAULT}\n{text}"))
}

fn by_sudo() -> Question {
    Question { service: Some("sudo"), ..ana_logs_in() }
}

fn seat(name: &str, terminal: &str) -> Option<Place> {
    let (seat, terminal) = (name.parse().ok(), terminal.parse().ok());
    Some(Place { seat, terminal, ..Place::LOCAL })
}

fn allowed(question: &Question, policies: &PolicySet) -> bool {
    matches!(question.ask(policies), PolicyDecision::Allowed { .. })
}

fn offline(question: &Question, policies: &PolicySet) -> bool {
    question.with(|facts| policies.permits_session_offline(facts))
}

fn unasked(question: &Question, policies: &PolicySet) -> bool {
    question.with(|facts| policies.permits_session_unasked(facts))
}

#[test]
fn sudo_is_for_whoever_sits_at_the_machine() {
    let policies = example("sudo-from-the-seat");
    let here = by_sudo();
    assert!(allowed(&here, &policies));
    // A host may decide it without the server: it knows where people sit.
    assert!(offline(&here, &policies) && unasked(&here, &policies));
    for elsewhere in [None, Some(Place::REMOTE)] {
        let elsewhere = Question { place: elsewhere, ..by_sudo() };
        assert!(!allowed(&elsewhere, &policies));
        assert!(!offline(&elsewhere, &policies) && !unasked(&elsewhere, &policies));
        assert!(allowed(&Question { service: Some("login"), ..elsewhere }, &policies));
    }
}

#[test]
fn one_seat_and_one_terminal_can_be_told_from_another() {
    let policies = example("consoles-of-seat0");
    let at = |seat_name: &str, terminal: &str| {
        let question = Question { service: Some("login"), place: seat(seat_name, terminal), ..ana_logs_in() };
        (allowed(&question, &policies), offline(&question, &policies))
    };
    // Which terminal it will be nobody knows beforehand.
    assert_eq!(at("seat0", "tty1"), (true, false));
    assert_eq!(at("seat0", "pts/1"), (false, false));
    assert_eq!(at("seat-usb-2", "tty1"), (false, false));
    assert!(allowed(&by_sudo(), &policies));
}

#[test]
fn logins_are_for_working_hours() {
    let policies = example("working-hours");
    // Monday 2026-11-23, midnight.
    const MONDAY: i64 = 1_795_392_000;
    let at = |day: i64, hour: i64, minute: i64| {
        let time = MONDAY + day * 86_400 + hour * 3600 + minute * 60;
        allowed(&Question { time, ..by_sudo() }, &policies)
    };
    assert!(!at(0, 6, 59) && at(0, 7, 0) && at(0, 18, 59) && !at(0, 19, 0));
    assert!(at(4, 12, 0) && !at(5, 12, 0) && !at(6, 12, 0) && at(7, 12, 0));
    // Administration is no login.
    let administer = Question { time: MONDAY, ..asks("administrator", "create", "account/ben") };
    assert!(allowed(&administer, &policies));
    // Without the server nobody can be held to it, so nobody gets in.
    assert!(!offline(&by_sudo(), &policies) && !unasked(&by_sudo(), &policies));
    assert!(by_sudo().with(|facts| policies.could_permit_session(facts)));
}

#[test]
fn a_service_is_for_a_group() {
    let policies = example("root-shells-for-administrators");
    let su = |role, login| {
        let logins = vec!["ana", "root"];
        let service = Some("su");
        Question { roles: vec![role], logins, login: Some(login), service, ..ana_logs_in() }
    };
    assert!(!allowed(&su("user", "root"), &policies) && allowed(&su("user", "ana"), &policies));
    assert!(allowed(&su("administrator", "root"), &policies));
    assert!(offline(&su("administrator", "root"), &policies) && !offline(&su("user", "root"), &policies));
}

#[test]
fn keys_of_ssh_can_be_for_nobody_or_for_some() {
    let policies = example("no-keys-of-ssh");
    let over_ssh = |account: &str| Question {
        place: Some(Place::REMOTE),
        roles: vec![if account == "ana" { "user" } else { "administrator" }],
        ..ana_logs_in()
    };
    assert!(!unasked(&over_ssh("ana"), &policies) && unasked(&over_ssh("olga"), &policies));
    assert!(unasked(&by_sudo(), &policies), "at the machine nothing changes");
}

#[test]
fn a_claim_can_be_asked_for_and_is_only_ever_known_to_the_server() {
    let policies = example("sudo-upgrades");
    let claims = |claimed| Question { claimed, ..by_sudo() };
    assert!(allowed(&claims(Some("sudo apt upgrade")), &policies));
    for other in [None, Some("sudo apt upgrade -o x"), Some("sudo sh")] {
        assert!(!allowed(&claims(other), &policies), "{other:?}");
    }
    assert!(!offline(&claims(Some("sudo apt upgrade")), &policies));
    assert!(allowed(&Question { service: Some("login"), ..claims(None) }, &policies));
}
