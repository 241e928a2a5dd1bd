//! What each role may do, as the default policy says: one table.

use super::*;
use crate::policy::facts::ResourceFacts;

/// Whose the resource is, as far as policies can tell.
#[derive(Debug, Clone, Copy)]
enum Whose {
    Own,
    Others,
    /// Somebody else's, who appointed whoever asks.
    Appointed,
    /// There is none of this name.
    Missing,
}

/// Columns: administrator, developer, resource, resource-administrator, user, auditor.
#[rustfmt::skip]
const TABLE: [(&str, &str, Whose, &str); 68] = [
    ("create",                "account/bob",          Whose::Missing,   "y-----"),
    ("read",                  "accounts/all",         Whose::Missing,   "y----y"),
    ("read",                  "account/bob",          Whose::Others,    "y----y"),
    ("update",                "account/bob",          Whose::Others,    "y-----"),
    ("update",                "account/ana",          Whose::Own,       "y-----"),
    ("retire",                "account/bob",          Whose::Others,    "y-----"),
    ("suspend",               "account/bob",          Whose::Others,    "y-----"),
    ("resume",                "account/bob",          Whose::Others,    "y-----"),
    ("add-key",               "account/ana",          Whose::Own,       "yyyyyy"),
    ("add-key",               "account/bob",          Whose::Others,    "------"),
    ("rotate-key",            "account/ana",          Whose::Own,       "yyyyyy"),
    ("rotate-key",            "account/bob",          Whose::Others,    "------"),
    ("renew-recovery-code",   "account/ana",          Whose::Own,       "yyyyyy"),
    ("renew-recovery-code",   "account/bob",          Whose::Others,    "------"),
    ("renew-emergency-code",  "account/ana",          Whose::Own,       "yyyyyy"),
    ("renew-emergency-code",  "account/bob",          Whose::Others,    "------"),
    ("add-contact",           "account/ana",          Whose::Own,       "yyyyyy"),
    ("add-contact",           "account/bob",          Whose::Others,    "------"),
    ("confirm-contact",       "account/bob",          Whose::Others,    "------"),
    ("remove-contact",        "account/bob",          Whose::Others,    "------"),
    ("read-contacts",         "account/ana",          Whose::Own,       "yyyyyy"),
    ("read-contacts",         "account/bob",          Whose::Others,    "------"),
    ("revoke",                "key/ABCD",             Whose::Others,    "y-----"),
    ("approve",               "instance/a-b",         Whose::Others,    "y-----"),
    ("revoke",                "instance/ABCD",        Whose::Others,    "y-----"),
    ("read",                  "instances/all",        Whose::Others,    "y----y"),
    ("create",                "enrolment-token/t",    Whose::Missing,   "y-----"),
    ("read",                  "ledger/entries",       Whose::Others,    "y----y"),
    ("create",                "application/till",     Whose::Missing,   "yy----"),
    ("read",                  "application/till",     Whose::Own,       "yy---y"),
    ("read",                  "application/till",     Whose::Others,    "y----y"),
    ("read",                  "application/till",     Whose::Missing,   "y----y"),
    ("publish",               "application/till",     Whose::Own,       "-y----"),
    ("publish",               "application/till",     Whose::Others,    "------"),
    ("publish",               "application/till",     Whose::Missing,   "------"),
    ("retire-version",        "application/till",     Whose::Own,       "yy----"),
    ("retire-version",        "application/till",     Whose::Others,    "y-----"),
    ("suspend",               "application/till",     Whose::Own,       "yy----"),
    ("suspend",               "application/till",     Whose::Others,    "y-----"),
    ("resume",                "application/till",     Whose::Own,       "y-----"),
    ("retire",                "application/till",     Whose::Own,       "yy----"),
    ("retire",                "application/till",     Whose::Others,    "y-----"),
    ("approve",               "application/till",     Whose::Own,       "y-----"),
    ("read",                  "applications/own",     Whose::Own,       "yy---y"),
    ("read",                  "applications/all",     Whose::Others,    "y----y"),
    ("create",                "collection/beds",      Whose::Missing,   "y-y---"),
    ("read",                  "collection/beds",      Whose::Own,       "y-y--y"),
    ("read",                  "collection/beds",      Whose::Appointed, "y--y-y"),
    ("read",                  "collection/beds",      Whose::Others,    "y----y"),
    ("update",                "collection/beds",      Whose::Own,       "--y---"),
    ("update",                "collection/beds",      Whose::Appointed, "------"),
    ("update",                "collection/beds",      Whose::Others,    "------"),
    ("grant",                 "collection/beds",      Whose::Own,       "--y---"),
    ("grant",                 "collection/beds",      Whose::Appointed, "---y--"),
    ("grant",                 "collection/beds",      Whose::Others,    "------"),
    ("withdraw",              "collection/beds",      Whose::Appointed, "y--y--"),
    ("withdraw",              "collection/beds",      Whose::Others,    "y-----"),
    ("appoint",               "collection/beds",      Whose::Own,       "--y---"),
    ("appoint",               "collection/beds",      Whose::Appointed, "------"),
    ("dismiss",               "collection/beds",      Whose::Own,       "y-y---"),
    ("dismiss",               "collection/beds",      Whose::Others,    "y-----"),
    ("retire",                "collection/beds",      Whose::Own,       "y-y---"),
    ("retire",                "collection/beds",      Whose::Others,    "y-----"),
    ("read",                  "collections/own",      Whose::Own,       "yyyyyy"),
    ("approve",               "recovery/7K3M-Q2ZD",   Whose::Others,    "y-----"),
    ("approve",               "recovery/7K3M-Q2ZD",   Whose::Own,       "------"),
    ("withdraw",              "recovery/7K3M-Q2ZD",   Whose::Own,       "yyyyyy"),
    ("withdraw",              "recovery/7K3M-Q2ZD",   Whose::Others,    "y-----"),
];

const ROLES: [&str; 6] =
    ["administrator", "developer", "resource", "resource-administrator", "user", "auditor"];

fn about(whose: Whose) -> ResourceFacts {
    let (me, other) = ("ana".parse().unwrap(), "bob".parse().unwrap());
    match whose {
        Whose::Own => ResourceFacts { owner: Some(me), ..ResourceFacts::default() },
        Whose::Others => ResourceFacts { owner: Some(other), ..ResourceFacts::default() },
        Whose::Appointed => {
            ResourceFacts { owner: Some(other), administrators: vec![me], ..ResourceFacts::default() }
        }
        Whose::Missing => ResourceFacts::default(),
    }
}

#[test]
fn each_role_may_do_exactly_this_with_its_own_and_with_others() {
    let policies = PolicySet::default_set().unwrap();
    for (operation, resource, whose, row) in TABLE {
        let about = about(whose);
        for (role, cell) in ROLES.into_iter().zip(row.chars()) {
            let decision = asks(role, operation, resource)
                .with(|facts| policies.decide(&Facts { about: Some(&about), ..*facts }));
            let letter = if matches!(decision, PolicyDecision::Allowed { .. }) { 'y' } else { '-' };
            assert_eq!(letter, cell, "{role} {operation} {resource} {whose:?}: {decision:?}");
        }
    }
}

#[test]
fn an_auditor_changes_nothing_whatever_is_theirs() {
    let policies = PolicySet::default_set().unwrap();
    let about = ResourceFacts {
        owner: Some("ana".parse().unwrap()),
        administrators: vec!["ana".parse().unwrap()],
        ..ResourceFacts::default()
    };
    for resource in ["application/till", "collection/beds", "account/bob", "instance/ABCD", "policy/main"] {
        for operation in [
            "create",
            "update",
            "delete",
            "approve",
            "publish",
            "retire-version",
            "suspend",
            "resume",
            "retire",
            "grant",
            "appoint",
            "dismiss",
            "revoke",
        ] {
            let decision = asks("auditor", operation, resource)
                .with(|facts| policies.decide(&Facts { about: Some(&about), ..*facts }));
            assert!(matches!(decision, PolicyDecision::Denied { .. }), "{operation} {resource}");
        }
    }
}
