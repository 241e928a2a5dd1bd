//! Why, and what would have allowed it.

use countersign_protocol::message::Decision as Decided;
use countersign_protocol::message::result::{PolicyExplained, PolicyWhy};

use super::*;

fn explain(question: &Question, policies: &PolicySet) -> PolicyExplained {
    question.with(|facts| policies.explain(facts)).unwrap()
}

fn ids(whys: &[PolicyWhy]) -> Vec<&str> {
    whys.iter().map(|why| why.policy.id.as_str()).collect()
}

fn words(why: &PolicyWhy) -> Vec<&str> {
    why.conditions.iter().map(|condition| condition.words.as_str()).collect()
}

fn open_session(id: &str, effect: &str, rest: &str) -> String {
    format!(
        "@id(\"{id}\") @reason(\"Because of {id}.\")\n{effect} (principal, action == Action::\"open-session\", resource) {rest};"
    )
}

/// Ana wants to be root.
fn as_root() -> Question {
    Question { login: Some("root"), ..ana_logs_in() }
}

#[test]
fn what_is_permitted_names_what_permits_it() {
    let explained = explain(&ana_logs_in(), &PolicySet::default_set().unwrap());
    assert_eq!((explained.decision, explained.policy_epoch), (Decided::Allowed, 1));
    let [permit] = explained.permits.as_slice() else { panic!("{explained:?}") };
    assert_eq!((permit.id.as_str(), permit.document.as_str()), ("login-bound-to-account", "default"));
    assert!(explained.forbids.is_empty() && explained.nearest.is_empty());
}

#[test]
fn a_default_deny_names_the_nearest_misses_the_nearest_first() {
    let ben = open_session(
        "ben",
        "permit",
        "when { principal.name == \"ben\" && context has login && context.login like \"svc-*\" }",
    );
    let roles = open_session(
        "roles",
        "permit",
        "when { principal.roles.contains(\"administrator\") } unless { context has service && context.service == \"sshd\" }",
    );
    let explained = explain(&as_root(), &set(format!("{DEFAULT}\n{ben}\n{roles}")));
    assert_eq!(explained.decision, Decided::Denied);
    assert_eq!(ids(&explained.nearest), ["login-bound-to-account", "ben", "roles"]);
    let told: Vec<Vec<&str>> = explained.nearest.iter().map(words).collect();
    assert_eq!(told[0], ["the account's logins would have to hold root; the account's logins: ana"]);
    assert_eq!(
        told[1],
        [
            "the account would have to be ben; the account: ana",
            "the login would have to be like svc-*; the login: root"
        ]
    );
    assert_eq!(told[2][0], "the account's roles would have to hold administrator; the account's roles: user");
    assert_eq!(explained.nearest[0].conditions[0].written, "principal.logins.contains(context.login)");
    assert_eq!(explained.nearest[0].policy.reason, "This login is bound to your account.");
}

#[test]
fn what_cannot_be_told_for_want_of_another_thing_is_one_miss() {
    let text = open_session("one", "permit", "when { context has service && context.service == \"sudo\" }");
    let explained = explain(&Question { service: None, ..ana_logs_in() }, &set(text));
    assert_eq!(words(&explained.nearest[0]), ["the request would have to say its service; it says none"]);
}

#[test]
fn a_scope_is_a_condition_too() {
    let text = "@id(\"x\") @reason(\"x\") permit (principal == Account::\"ben\", action, resource == Ledger::\"entries\");";
    let explained = explain(&asks("user", "read", "ledger/others"), &set(text));
    assert_eq!(
        words(&explained.nearest[0]),
        [
            "the account would have to be ben; it is ana",
            "the resource would have to be entries; it is ledger/others"
        ]
    );
    assert_eq!(explained.nearest[0].conditions[0].written, "principal == Account::\"ben\"");
}

#[test]
fn a_forbid_is_named_with_what_makes_it_and_what_would_be_permitted_beside_it() {
    let suspended = Question { account_state: "suspended", ..ana_logs_in() };
    let explained = explain(&suspended, &PolicySet::default_set().unwrap());
    assert_eq!(ids(&explained.forbids), ["account-not-active"]);
    assert_eq!(
        words(&explained.forbids[0]),
        ["the account's state would have to be active; the account's state: suspended"]
    );
    assert_eq!(explained.permits.len(), 1, "without the forbid it would be allowed");
    let both =
        explain(&Question { account_state: "suspended", ..as_root() }, &PolicySet::default_set().unwrap());
    assert_eq!(
        (ids(&both.forbids), ids(&both.nearest)),
        (vec!["account-not-active"], vec!["login-bound-to-account"])
    );
}

#[test]
fn alternatives_are_told_as_such() {
    let text = open_session(
        "either",
        "permit",
        "when { principal.name == \"ben\" || !(context has service && [\"sshd\", \"su\"].contains(context.service)) }",
    );
    let explained = explain(&as_root(), &set(text));
    let [told] = words(&explained.nearest[0])[..] else { panic!("{explained:?}") };
    for part in ["the account would have to be ben", ", or ", "one of sshd, su; the service: sshd"] {
        assert!(told.contains(part), "{part:?} is not in {told:?}");
    }
}

#[test]
fn what_policies_cannot_speak_of_is_said() {
    let explained = explain(&asks("user", "become", "account/ben"), &PolicySet::default_set().unwrap());
    assert_eq!(explained.decision, Decided::Denied);
    assert_eq!(explained.notes, ["There is no become on account: no policy can permit it."]);
}

/// The explanation is made in another way than the decision; they say the same.
#[test]
fn explanations_agree_with_decisions() {
    let more = [
        open_session(
            "sudo-for-administrators",
            "forbid",
            "when { context has service && context.service == \"sudo\" } unless { principal.roles.contains(\"administrator\") }",
        ),
        open_session(
            "at-night",
            "permit",
            "when { context.time.toTime() < duration(\"6h\") && principal.logins.containsAny([\"root\"]) }",
        ),
    ];
    let policies = set(format!("{DEFAULT}\n{}", more.concat()));
    let (mut allowed, mut denied) = (0, 0);
    for role in ["user", "administrator", "auditor"] {
        for (operation, resource) in [
            ("open-session", format!("session/{HERE}")),
            ("read", "ledger/entries".into()),
            ("create", "account/x".into()),
        ] {
            for login in [None, Some("ana"), Some("root")] {
                for service in [None, Some("sudo")] {
                    for time in [1_795_000_000, 1_795_000_000 + 13 * 3600] {
                        for account_state in ["active", "suspended"] {
                            let resource = resource.clone();
                            let logins = if role == "auditor" { vec!["root"] } else { vec!["ana"] };
                            let question = Question {
                                logins,
                                operation,
                                login,
                                service,
                                time,
                                account_state,
                                ..asks(role, operation, &resource)
                            };
                            let explained = explain(&question, &policies);
                            let expected = explained.forbids.is_empty() && !explained.permits.is_empty();
                            let decided = matches!(question.ask(&policies), PolicyDecision::Allowed { .. });
                            assert_eq!(decided, expected, "{explained:#?}");
                            if decided { allowed += 1 } else { denied += 1 }
                        }
                    }
                }
            }
        }
    }
    assert!(allowed > 10 && denied > 100, "{allowed} {denied}");
}
