//! What the default policy promises, and what loading refuses.

mod explain;
mod places;
mod roles;
mod sight;

use cedar_policy::{Authorizer, Decision, Entities, Validator};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{LoginName, Role};
use countersign_protocol::message::InstanceState;
use countersign_protocol::statement::Place;

use super::facts::entity_type;
use super::*;

/// The instance of every question unless it says otherwise.
const HERE: &str = "0123456789ABCDEF0123456789ABCDEF01234567";
const ELSEWHERE: &str = "FFFF456789ABCDEF0123456789ABCDEF01234567";

/// The set of one document.
fn load(text: &str, epoch: u64) -> Result<PolicySet, PolicyError> {
    PolicySet::of_one(text, epoch)
}

fn set(text: impl AsRef<str>) -> PolicySet {
    load(text.as_ref(), 2).unwrap()
}

/// A question with plain values, to be varied in one place.
#[derive(Clone)]
struct Question {
    roles: Vec<&'static str>,
    logins: Vec<&'static str>,
    account_state: &'static str,
    instance_state: InstanceState,
    operation: &'static str,
    resource: String,
    login: Option<&'static str>,
    service: Option<&'static str>,
    place: Option<Place>,
    claimed: Option<&'static str>,
    time: i64,
}

/// Ana logs in as ana, here.
fn ana_logs_in() -> Question {
    Question {
        roles: vec!["user"],
        logins: vec!["ana"],
        account_state: "active",
        instance_state: InstanceState::Active,
        operation: "open-session",
        resource: format!("session/{HERE}"),
        login: Some("ana"),
        service: Some("sshd"),
        place: Some(Place::LOCAL),
        claimed: None,
        time: 1_795_000_000,
    }
}

fn asks(role: &'static str, operation: &'static str, resource: &str) -> Question {
    let resource = resource.to_owned();
    Question { roles: vec![role], operation, resource, login: None, service: None, ..ana_logs_in() }
}

impl Question {
    fn with<T>(&self, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
        let roles: Vec<Role> = self.roles.iter().filter_map(|role| role.parse().ok()).collect();
        let logins: Vec<LoginName> = self.logins.iter().map(|login| login.parse().unwrap()).collect();
        let login = self.login.map(|login| login.parse().unwrap());
        let service = self.service.map(|service| service.parse().unwrap());
        ask(&Facts {
            account: AccountFacts {
                name: &"ana".parse().unwrap(),
                roles: &roles,
                groups: &[],
                logins: &logins,
                state: self.account_state,
            },
            instance: InstanceFacts {
                fingerprint: &HERE.parse().unwrap(),
                application: &"hosts".parse().unwrap(),
                state: self.instance_state,
            },
            operation: &self.operation.parse().unwrap(),
            resource: &self.resource.parse().unwrap(),
            about: None,
            login: login.as_ref(),
            service: service.as_ref(),
            place: self.place.as_ref(),
            claimed: self.claimed,
            time: Some(Timestamp::from_seconds(self.time)),
            offline: false,
        })
    }

    fn ask(&self, policies: &PolicySet) -> PolicyDecision {
        self.with(|facts| {
            // What is asked about is of the schema's types, which is not looked at again when it is asked.
            if let Some(kind) = entity_type(facts.resource.collection())
                && let Ok((_, entities)) = facts.to_cedar(kind, None)
            {
                Entities::from_entities(entities, Some(&policies.schema)).unwrap();
            }
            policies.decide(facts)
        })
    }

    /// Asks the default policy; `Ok` is the deciding policies of a permission, `Err` those of a denial.
    fn answer(&self) -> Result<Vec<String>, Vec<String>> {
        match self.ask(&PolicySet::default_set().unwrap()) {
            PolicyDecision::Allowed { policies, .. } => Ok(policies),
            PolicyDecision::Denied { policies, .. } => Err(policies),
        }
    }
}

fn by(id: &str) -> Vec<String> {
    vec![id.to_owned()]
}

fn nobody() -> Vec<String> {
    Vec::new()
}

#[test]
fn a_login_opens_for_the_account_it_is_bound_to() {
    assert_eq!(ana_logs_in().answer(), Ok(by("login-bound-to-account")));
    // A roster is made before anyone chose a service.
    assert_eq!(Question { service: None, ..ana_logs_in() }.answer(), Ok(by("login-bound-to-account")));
}

#[test]
fn root_opens_only_for_an_account_that_root_is_bound_to() {
    let as_root = Question { login: Some("root"), ..ana_logs_in() };
    assert_eq!(as_root.answer(), Err(nobody()));
    let administrator = Question { roles: vec!["administrator"], ..as_root.clone() };
    assert_eq!(administrator.answer(), Err(nobody()), "a role opens no login");
    let bound = Question { logins: vec!["ana", "root"], ..as_root };
    assert_eq!(bound.answer(), Ok(by("login-bound-to-account")));
}

#[test]
fn a_session_on_another_host_is_denied() {
    let elsewhere = Question { resource: format!("session/{ELSEWHERE}"), ..ana_logs_in() };
    assert_eq!(elsewhere.answer(), Err(nobody()));
    let lower = Question { resource: format!("session/{}", HERE.to_lowercase()), ..ana_logs_in() };
    assert_eq!(lower.answer(), Err(nobody()), "one spelling only");
}

#[test]
fn a_session_without_a_login_is_denied() {
    assert_eq!(Question { login: None, ..ana_logs_in() }.answer(), Err(nobody()));
}

#[test]
fn only_an_active_account_may_ask() {
    for state in ["pending", "suspended", "retired", "", "Active"] {
        let question = Question { account_state: state, ..ana_logs_in() };
        assert_eq!(question.answer(), Err(by("account-not-active")), "{state}");
        let admin = Question { account_state: state, ..asks("administrator", "create", "account/ben") };
        assert_eq!(admin.answer(), Err(by("account-not-active")), "{state}");
    }
}

#[test]
fn only_an_active_host_may_carry_requests() {
    for state in [InstanceState::Pending, InstanceState::Suspended, InstanceState::Revoked] {
        let login = Question { instance_state: state, ..ana_logs_in() };
        assert_eq!(login.answer(), Err(by("host-not-active")), "{state:?}");
        let approval =
            Question { instance_state: state, ..asks("administrator", "approve", "instance/a-b-c-d-e-f") };
        assert_eq!(approval.answer(), Err(by("host-not-active")), "a host cannot help to approve itself");
    }
}

#[test]
fn administration_needs_its_role() {
    let administrator = "administrators-create";
    let cases = [
        ("create", "account/ben", &["administrator"][..], administrator),
        ("create", "enrolment-token/lab", &["administrator"], administrator),
        ("approve", "instance/a-b-c-d-e-f", &["administrator"], "administrators-approve-hosts"),
        ("read", "ledger/entries", &["administrator", "auditor"], "auditors-read-the-ledger"),
        ("read", "accounts/all", &["administrator", "auditor"], "auditors-read-accounts-and-hosts"),
        ("read", "account/ben", &["administrator", "auditor"], "auditors-read-accounts-and-hosts"),
        ("read", "instances/all", &["administrator", "auditor"], "auditors-read-accounts-and-hosts"),
        ("read", "instance/AB", &["administrator", "auditor"], "auditors-read-accounts-and-hosts"),
        ("create", "policy/x", &["administrator"], administrator),
        ("update", "policy/default", &["administrator"], "administrators-change-policies"),
        ("delete", "policy/x", &["administrator"], "administrators-change-policies"),
        ("read", "policy/all", &["administrator", "auditor"], "auditors-read-and-explain-policies"),
        ("explain", "policy/all", &["administrator", "auditor"], "auditors-read-and-explain-policies"),
        ("revoke", "key/AB", &["administrator"], "administrators-suspend-and-revoke"),
        ("revoke", "instance/AB", &["administrator"], "administrators-suspend-and-revoke"),
        ("suspend", "account/ben", &["administrator"], "administrators-suspend-and-revoke"),
        ("resume", "instance/AB", &["administrator"], "administrators-suspend-and-revoke"),
    ];
    let roles = [
        "administrator",
        "developer",
        "resource",
        "resource-administrator",
        "user",
        "auditor",
        "Administrator",
        "",
    ];
    for (operation, resource, allowed, policy) in cases {
        for role in roles {
            let expected = if allowed.contains(&role) { Ok(by(policy)) } else { Err(nobody()) };
            assert_eq!(asks(role, operation, resource).answer(), expected, "{role:?} {operation} {resource}");
        }
    }
}

#[test]
fn what_no_policy_names_is_denied_even_to_administrators() {
    for (operation, resource) in [
        ("delete", "account/ben"),
        ("update", "ledger/entries"),
        ("delete", "application/countersign"),
        ("revoke", "account/ben"),
        ("suspend", "key/AB"),
        ("delete", "key/AB"),
        ("create", "ledger/entries"),
        ("delete", "ledger/entries"),
        ("create", "session/x"),
        ("approve", "account/ben"),
        ("bind-key", "account/ana"),
        ("open-session", "account/ana"),
        ("create", "Session/x"),
        ("create", "unheard-of/x"),
        ("become", "account/ben"),
    ] {
        assert_eq!(
            asks("administrator", operation, resource).answer(),
            Err(nobody()),
            "{operation} {resource}"
        );
    }
}

#[test]
fn a_denial_tells_the_person_what_and_betrays_nothing() {
    let policies = PolicySet::default_set().unwrap();
    let told = |question: &Question| match question.ask(&policies) {
        PolicyDecision::Denied { reason, .. } => reason,
        PolicyDecision::Allowed { .. } => panic!("allowed"),
    };
    assert_eq!(
        told(&Question { login: Some("root"), ..ana_logs_in() }),
        "No policy lets account ana open login root here."
    );
    // A collection that exists and one that does not are answered alike.
    assert_eq!(told(&asks("user", "read", "policy/x")), "No policy lets account ana read policy/x.");
    assert_eq!(told(&asks("user", "read", "secret/x")), "No policy lets account ana read secret/x.");
    assert_eq!(
        told(&Question { account_state: "suspended", ..ana_logs_in() }),
        "Your account is not active. Ask an administrator."
    );
}

#[test]
fn a_permission_tells_its_reason() {
    let answer = ana_logs_in().ask(&PolicySet::default_set().unwrap());
    let PolicyDecision::Allowed { reason, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(reason, "This login is bound to your account.");
}

#[test]
fn a_policy_that_fails_denies_although_another_permits() {
    let text = format!(
        "{DEFAULT}\n@id(\"overflow\") @reason(\"Never.\")\n\
         forbid (principal, action == Action::\"open-session\", resource)\n\
         when {{ 9223372036854775807 + (if principal.name == \"ana\" then 1 else 0) > 0 }};"
    );
    let policies = set(&text);
    let answer = ana_logs_in().ask(&policies);
    assert!(
        matches!(&answer, PolicyDecision::Denied { policies, .. } if *policies == by("overflow")),
        "{answer:?}"
    );
}

#[test]
fn a_name_cannot_become_code() {
    let login = "x]||true||[x";
    let question = Question { logins: vec![login], login: Some("ana"), ..ana_logs_in() };
    assert_eq!(question.answer(), Err(nobody()));
    let question =
        Question { roles: vec!["administrator\"", "\", \"administrator"], ..asks("", "create", "account/b") };
    assert_eq!(question.answer(), Err(nobody()));
}

#[test]
fn every_policy_text_that_could_not_work_is_refused() {
    let labels = "@id(\"one\") @reason(\"Because.\")";
    let cases = [
        ("permit (principal, action, resource);".to_owned(), "no @id"),
        ("@id(\"one\") permit (principal, action, resource);".to_owned(), "no @reason"),
        ("@id(\" \") @reason(\"x\") permit (principal, action, resource);".to_owned(), "no @id"),
        ("@id(\"a b\") @reason(\"x\") permit (principal, action, resource);".to_owned(), "the id"),
        (format!("{labels} permit (principal, action, resource);").repeat(2), "two policies"),
        (format!("{labels} permit (principal == ?principal, action, resource);"), "template"),
        (format!("{labels} permit (principal, action, resource) when {{ principal.rank > 3 }};"), "schema"),
        (format!("{labels} permit (principal, action == Action::\"fly\", resource);"), "schema"),
        (format!("{labels} permit (principal, action, resource is Castle);"), "schema"),
        (
            format!("{labels} permit (principal, action, resource) when {{ context.login == \"x\" }};"),
            "schema",
        ),
        (format!("{labels} permit (principal, action, resource) when {{ false }};"), "schema"),
        (format!("{labels} permit (principal, action"), "cannot be read"),
        ("x".repeat(300_000), "at most"),
    ];
    for (text, expected) in cases {
        let error = load(&text, 2).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{expected:?} not in {error:?}");
    }
}

#[test]
fn an_empty_policy_is_accepted_and_denies_everything() {
    let policies = load("", 7).unwrap();
    assert_eq!(policies.epoch(), 7);
    assert!(matches!(ana_logs_in().ask(&policies), PolicyDecision::Denied { .. }));
}

#[test]
fn the_schema_has_no_warnings_and_covers_every_collection() {
    let (schema, warnings) = cedar_policy::Schema::from_cedarschema_str(SCHEMA).unwrap();
    assert_eq!(warnings.map(|warning| warning.to_string()).collect::<Vec<_>>(), Vec::<String>::new());
    for collection in ["session", "account", "application", "instance", "enrolment-token", "ledger", "policy"]
    {
        let kind: cedar_policy::EntityTypeName = entity_type(collection).unwrap().parse().unwrap();
        assert!(schema.entity_types().any(|known| *known == kind), "{collection}");
    }
    // So that a validator of another release, with new warnings, is noticed here and not in service.
    let whole = DEFAULT.parse().unwrap();
    assert!(
        Validator::new(schema).validate(&whole, cedar_policy::ValidationMode::Strict).validation_passed()
    );
}

/// Every question gets the answer it would get from all policies at once.
#[test]
fn the_index_loses_no_policy() {
    let text = format!(
        "{DEFAULT}
        @id(\"exact\") @reason(\"x\") permit (principal, action == Action::\"read\", resource == Ledger::\"entries\");
        @id(\"listed\") @reason(\"x\") permit (principal, action in [Action::\"update\", Action::\"delete\"], resource)
            when {{ principal.roles.contains(\"user\") }};
        @id(\"no-ben\") @reason(\"x\") forbid (principal, action, resource == AccountResource::\"ben\");
        @id(\"within\") @reason(\"x\") permit (principal, action, resource in InstanceResource::\"a\");"
    );
    let policies = set(&text);
    let whole: cedar_policy::PolicySet = text.parse().unwrap();
    let mut allowed = 0;
    for operation in ["open-session", "create", "read", "update", "delete", "approve"] {
        for resource in [
            "account/ben",
            "account/x",
            "application/x",
            "instance/a",
            "instance/b",
            "ledger/entries",
            "policy/x",
        ] {
            for role in ["user", "administrator"] {
                let question = asks(role, operation, resource);
                let indexed = matches!(question.ask(&policies), PolicyDecision::Allowed { .. });
                let direct = question.with(|facts| {
                    let kind = entity_type(facts.resource.collection()).unwrap();
                    facts.to_cedar(kind, Some(&policies.schema)).is_ok_and(|(request, entities)| {
                        Authorizer::new().is_authorized(&request, &whole, &entities).decision()
                            == Decision::Allow
                    })
                });
                assert_eq!(indexed, direct, "{role} {operation} {resource}");
                allowed += u32::from(indexed);
            }
        }
    }
    assert!(allowed > 10, "{allowed}");
}

#[test]
fn every_fault_is_told_with_its_document_and_place() {
    let document = |name: &str, text: &str| Document { name: name.parse().unwrap(), text: text.to_owned() };
    let told = PolicySet::load(
        &[
            document(
                "a",
                "@id(\"one\") @reason(\"x\")\npermit (principal, action, resource)\nwhen { context.login == \"x\" };",
            ),
            document("b", "@id(\"two\") @reason(\"x\")\npermit (principal, action\nwhen { true };"),
            document(
                "c",
                "@id(\"one\") @reason(\"x\")\npermit (principal, action, resource);\nforbid (principal, action, resource);",
            ),
        ],
        1,
    );
    let told = told.err().unwrap().to_string();
    let lines: Vec<&str> = told.lines().collect();
    let expected = [
        ("a, line 3, column 8: this does not fit the schema", "`context has login && ..`"),
        ("b, line 3, column 1: this cannot be read: unexpected token `when`", "expected"),
        ("c, line 1, column 5: two policies have the id \"one\"", "the other one is in a"),
        ("c, line 3, column 1: a policy has no @id", "Put @id"),
    ];
    for (begin, part) in expected {
        assert!(
            lines.iter().any(|line| line.starts_with(begin) && line.contains(part)),
            "{begin:?} is not in:\n{told}"
        );
    }
    assert_eq!(lines.len(), expected.len(), "{told}");
}

#[test]
fn policies_of_several_documents_decide_together() {
    let document = |name: &str, text: &str| Document { name: name.parse().unwrap(), text: text.to_owned() };
    let forbid = "@id(\"nobody\") @reason(\"Closed.\") forbid (principal, action, resource);";
    let policies = PolicySet::load(&[document("default", DEFAULT), document("more", forbid)], 4).unwrap();
    assert!(
        matches!(ana_logs_in().ask(&policies), PolicyDecision::Denied { reason, .. } if reason == "Closed.")
    );
    assert_eq!(policies.home("nobody").unwrap().as_str(), "more");
    assert_eq!(policies.home("login-bound-to-account").unwrap().as_str(), "default");
}

#[test]
fn policies_about_others_are_not_looked_at() {
    let others: String = (0..1000)
        .map(|n| match n % 4 {
            0 => format!("@id(\"o{n}\") @reason(\"x\") permit (principal == Account::\"o{n}\", action, resource);\n"),
            1 => format!(
                "@id(\"o{n}\") @reason(\"x\") permit (principal, action == Action::\"open-session\", resource == Session::\"{n:040}\");\n"
            ),
            2 => format!(
                "@id(\"o{n}\") @reason(\"x\") forbid (principal, action, resource) when {{ principal.roles.contains(\"role-{n}\") }};\n"
            ),
            _ => format!("@id(\"o{n}\") @reason(\"x\") permit (principal, action == Action::\"read\", resource is Ledger);\n"),
        })
        .collect();
    let (few, many) = (PolicySet::default_set().unwrap(), set(format!("{DEFAULT}\n{others}")));
    let looked_at = |policies: &PolicySet| {
        ana_logs_in().with(|facts| {
            let bucket = policies.index.get("open-session", "Session").unwrap();
            bucket.fitting(facts).map(|some| some.policies().count()).sum::<usize>()
        })
    };
    assert_eq!(looked_at(&few), looked_at(&many));
    assert_eq!(ana_logs_in().ask(&few), ana_logs_in().ask(&many));
}
