//! What a roster says before anyone asks, and while nobody can.

use super::*;

/// The default policy with `more`.
fn with(more: &str) -> PolicySet {
    set(format!("{DEFAULT}\n{more}"))
}

/// Only what `text` says, and the two that forbid.
fn instead(text: &str) -> PolicySet {
    let begin = DEFAULT.find("@id(\"account-not-active\")").unwrap();
    set(format!("{text}\n{}", &DEFAULT[begin..]))
}

fn permit(condition: &str) -> String {
    format!(
        "@id(\"p\") @reason(\"x\") permit (principal, action == Action::\"open-session\", resource) {condition};"
    )
}

fn forbid(condition: &str) -> String {
    format!(
        "@id(\"f\") @reason(\"x\") forbid (principal, action == Action::\"open-session\", resource) {condition};"
    )
}

/// Whether ana may be asked for as ana, and which of these services let her in offline.
fn roster(policies: &PolicySet) -> (bool, Vec<&'static str>) {
    let offline = ["login", "sudo", "sshd"].into_iter().filter(|service| {
        Question { service: Some(service), ..ana_logs_in() }
            .with(|facts| policies.permits_session_offline(facts))
    });
    let offline: Vec<_> = offline.collect();
    assert!(policies.tells_services_apart_offline() || [0, 3].contains(&offline.len()));
    (ana_logs_in().with(|facts| policies.could_permit_session(facts)), offline)
}

const ALL: [&str; 3] = ["login", "sudo", "sshd"];

fn everywhere() -> (bool, Vec<&'static str>) {
    (true, ALL.to_vec())
}

fn online_only() -> (bool, Vec<&'static str>) {
    (true, Vec::new())
}

#[test]
fn the_default_policy_holds_offline() {
    let policies = PolicySet::default_set().unwrap();
    assert_eq!(roster(&policies), everywhere());
    assert!(!policies.tells_services_apart_offline());
    for other in [
        Question { login: Some("root"), ..ana_logs_in() },
        Question { account_state: "suspended", ..ana_logs_in() },
        Question { instance_state: InstanceState::Suspended, ..ana_logs_in() },
        Question { resource: format!("session/{ELSEWHERE}"), ..ana_logs_in() },
        asks("administrator", "create", "account/ben"),
    ] {
        assert!(!other.with(|facts| policies.permits_session_offline(facts)));
        assert!(!other.with(|facts| policies.could_permit_session(facts)));
    }
}

#[test]
fn a_key_opens_a_login_through_ssh_only_where_nothing_more_needs_to_be_asked() {
    let opens = |policies: PolicySet| {
        let by_sshd = Question { service: Some("sshd"), ..ana_logs_in() };
        by_sshd.with(|facts| policies.permits_session_unasked(facts))
    };
    assert!(opens(PolicySet::default_set().unwrap()));
    assert!(opens(instead(&permit("when { context has service && context.service == \"sshd\" }"))));
    assert!(!opens(instead(&permit("when { context has service && context.service == \"sudo\" }"))));
    assert!(!opens(instead(&permit("when { context.time > datetime(\"2020-01-01\") }"))));
    assert!(!opens(with(&forbid("when { context has service && context.service == \"sshd\" }"))));
    assert!(!opens(with(&forbid("when { context.time < datetime(\"2020-01-01\") }"))));
    // It is no login without the server; a host whose server is silent asks about those as well.
    assert!(opens(with(&forbid("when { context.offline }"))));
    let suspended = Question { service: Some("sshd"), account_state: "suspended", ..ana_logs_in() };
    let policies = PolicySet::default_set().unwrap();
    assert!(!suspended.with(|facts| policies.permits_session_unasked(facts)));
}

#[test]
fn a_permit_that_depends_on_the_time_is_not_in_the_roster() {
    let office = "when { context.time.toTime() > duration(\"8h\") }";
    assert_eq!(roster(&instead(&permit(office))), online_only());
    // Also where the time is hidden.
    for hidden in [
        "when { true || context.time > datetime(\"2020-01-01\") }",
        "when { context has login } unless { context.time < datetime(\"2020-01-01\") }",
        "when { if context has service then true else context.time > datetime(\"2020-01-01\") }",
    ] {
        assert_eq!(roster(&instead(&permit(hidden))), online_only(), "{hidden}");
    }
    // Another permit that needs none stays.
    assert_eq!(roster(&with(&permit(office))), everywhere());
}

#[test]
fn a_forbid_that_depends_on_the_time_forbids_offline_at_any_time() {
    let past = "when { context.time < datetime(\"2020-01-01\") }";
    let policies = with(&forbid(past));
    assert!(matches!(ana_logs_in().ask(&policies), PolicyDecision::Allowed { .. }));
    assert_eq!(roster(&policies), online_only());
    // Within its scope, and within the conditions that are known.
    assert_eq!(
        roster(&with(&forbid(&format!(
            "when {{ context has service && context.service == \"sudo\" }} {past}"
        )))),
        (true, vec!["login", "sshd"])
    );
    assert_eq!(
        roster(&with(&forbid(&format!("{past} unless {{ principal.roles.contains(\"user\") }}")))),
        everywhere()
    );
    let elsewhere =
        format!("@id(\"f\") @reason(\"x\") forbid (principal == Account::\"ben\", action, resource) {past};");
    assert_eq!(roster(&with(&elsewhere)), everywhere());
}

#[test]
fn time_is_told_online() {
    // The questions are asked on 18 November 2026.
    let policies = instead(&permit("when { context.time > datetime(\"2026-01-01\") }"));
    assert!(matches!(ana_logs_in().ask(&policies), PolicyDecision::Allowed { .. }));
    let policies = instead(&permit("when { context.time > datetime(\"2027-01-01\") }"));
    assert!(matches!(ana_logs_in().ask(&policies), PolicyDecision::Denied { .. }));
}

#[test]
fn a_permit_that_needs_approvals_is_not_in_the_roster() {
    let approvals = format!("@approvals(\"2:operators\") {}", permit(""));
    // Nor worth a card's signature: a login does not wait for them.
    assert_eq!(roster(&instead(&approvals)), (false, vec![]));
    assert!(matches!(ana_logs_in().ask(&instead(&approvals)), PolicyDecision::Denied { .. }));
    assert_eq!(roster(&with(&approvals)), everywhere(), "another permit lets her in");
    // Nor one with any other annotation that this version does not know.
    assert_eq!(roster(&instead(&format!("@quorum(\"2\") {}", permit("")))), online_only());
    // What it asks of the account itself is known all the same.
    let guests = format!("@quorum(\"2\") {}", permit("when { principal.roles.contains(\"guest\") }"));
    assert_eq!(roster(&instead(&guests)), (false, vec![]));
    // A forbid with one forbids.
    let unless = forbid("when { principal.roles.contains(\"guest\") }");
    assert_eq!(roster(&with(&format!("@quorum(\"2\") {unless}"))), online_only());
    assert_eq!(roster(&with(&unless)), everywhere());
}

#[test]
fn a_policy_can_speak_of_being_offline() {
    assert_eq!(roster(&with(&forbid("when { context.offline }"))), online_only());
    let no_root = "when { context.offline && principal.logins.contains(\"root\") }";
    assert_eq!(roster(&with(&forbid(no_root))), everywhere());
    let by_login = "when { context.offline && !(context has service && context.service == \"login\") }";
    let policies = with(&forbid(by_login));
    assert_eq!(roster(&policies), (true, vec!["login"]));
    assert!(policies.tells_services_apart_offline());
    assert!(matches!(ana_logs_in().ask(&policies), PolicyDecision::Allowed { .. }));
}

#[test]
fn a_service_narrows_offline_and_is_no_reason_not_to_ask() {
    let sudo = instead(&permit("when { context has service && context.service == \"sudo\" }"));
    assert_eq!(roster(&sudo), (true, vec!["sudo"]));
    let no_sudo = with(&forbid("when { context has service && context.service == \"sudo\" }"));
    assert_eq!(roster(&no_sudo), (true, vec!["login", "sshd"]));
    // A forbid that holds whatever the service is holds before anyone asks.
    let guests = with(&forbid("when { principal.roles.contains(\"user\") }"));
    assert_eq!(roster(&guests), (false, vec![]));
}

/// What policy would refuse online it refuses offline: no combination of these is let in offline and denied online
/// at some time.
#[test]
fn offline_permits_nothing_that_online_would_refuse() {
    let conditions = [
        "",
        "when { context.time < datetime(\"2020-01-01\") }",
        "when { context.time > datetime(\"2020-01-01\") }",
        "when { context has service && context.service == \"sudo\" }",
        "unless { context has service && context.service == \"sudo\" }",
        "when { principal.roles.contains(\"user\") }",
        "when { principal.roles.contains(\"guest\") }",
        "when { context.time > datetime(\"2020-01-01\") } unless { principal.roles.contains(\"user\") }",
        "when { context.time > datetime(\"2020-01-01\") || principal.roles.contains(\"user\") }",
    ];
    let mut offline_at_all = 0;
    for permitted in conditions {
        for forbidden in conditions {
            let policies = instead(&format!("{}\n{}", permit(permitted), forbid(forbidden)));
            for service in ALL {
                let question = Question { service: Some(service), ..ana_logs_in() };
                let at = |seconds: i64| {
                    question.with(|facts| {
                        let time = Some(Timestamp::from_seconds(seconds));
                        let facts = Facts { time, offline: true, ..*facts };
                        matches!(policies.decide(&facts), PolicyDecision::Allowed { .. })
                    })
                };
                let online = [1_500_000_000, 1_795_000_000].map(at);
                let offline = question.with(|facts| policies.permits_session_offline(facts));
                let asked = question.with(|facts| policies.could_permit_session(facts));
                let case = format!("{permitted} / {forbidden} / {service}");
                assert!(!offline || online == [true, true], "{case}");
                assert!(asked || online == [false, false], "{case}");
                offline_at_all += u32::from(offline);
            }
        }
    }
    assert!(offline_at_all > 20, "{offline_at_all}");
}
