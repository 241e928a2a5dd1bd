//! Policies held to cases that somebody wrote down: who asks for what, and what must come of it.

use std::fmt;

use countersign_protocol::approval;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{
    AccountName, ApplicationName, Fingerprint, GroupName, LoginName, Operation, ResourceName, Role, SeatName,
    ServiceName, TerminalName,
};
use countersign_protocol::message::{Decision, InstanceState};
use countersign_protocol::statement::{Place, Whence};
use serde::{Deserialize, Serialize};

use super::decide::PolicyDecision;
use super::facts::{AccountFacts, Facts, InstanceFacts};
use super::load::PolicySet;

/// A file of cases. Unknown keys are errors.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    #[serde(rename = "case")]
    cases: Vec<Case>,
}

/// One request that is not made, and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Case {
    name: String,
    account: AccountName,
    #[serde(default)]
    roles: Vec<Role>,
    #[serde(default)]
    groups: Vec<GroupName>,
    #[serde(default)]
    logins: Vec<LoginName>,
    #[serde(default = "active")]
    state: String,
    #[serde(default)]
    host: Option<Fingerprint>,
    #[serde(default = "host_active")]
    host_state: InstanceState,
    #[serde(default)]
    application: Option<ApplicationName>,
    operation: Operation,
    #[serde(default)]
    resource: Option<ResourceName>,
    #[serde(default)]
    login: Option<LoginName>,
    #[serde(default)]
    service: Option<ServiceName>,
    #[serde(default)]
    place: Option<Whence>,
    #[serde(default)]
    seat: Option<SeatName>,
    #[serde(default)]
    terminal: Option<TerminalName>,
    #[serde(default)]
    claimed: Option<String>,
    #[serde(default)]
    time: Option<Timestamp>,
    #[serde(default)]
    offline: bool,
    expect: Decision,
    #[serde(default)]
    policies: Option<Vec<String>>,
    #[serde(default)]
    reason: Option<String>,
    /// Such as `2:operators`, and empty for none.
    #[serde(default)]
    approvals: Option<String>,
}

fn active() -> String {
    "active".to_owned()
}

const fn host_active() -> InstanceState {
    InstanceState::Active
}

/// States of accounts, in policies' words.
const STATES: [&str; 4] = ["pending", "active", "suspended", "retired"];

/// A Monday noon, where a case says no time.
const NOON: Timestamp = Timestamp::from_seconds(1_795_435_200);

/// The host of a case that names none.
const HOST: &str = "0000000000000000000000000000000000000001";

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseResult {
    /// Its name.
    pub name: String,
    /// Whether everything is as expected.
    pub passed: bool,
    /// What policy says.
    pub decision: Decision,
    /// The policies that decide; none where the host decides.
    pub policies: Vec<String>,
    /// What is wrong, or what the person would read.
    pub said: String,
}

impl Cases {
    /// Reads a file's text.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn read(text: &str) -> Result<Self, String> {
        let cases: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for case in &cases.cases {
            let wrong = |what: &str| Err(format!("the case {:?}: {what}", case.name));
            if case.resource.is_none() && case.operation.as_str() != "open-session" {
                return wrong("it names no resource, such as resource = \"account/ana\"");
            }
            if !STATES.contains(&case.state.as_str()) {
                return wrong(&format!("state is one of {}", STATES.join(", ")));
            }
            if case.place.is_none() && (case.seat.is_some() || case.terminal.is_some()) {
                return wrong("a seat or terminal needs place = \"local\" or \"remote\"");
            }
            if case.offline && (case.operation.as_str() != "open-session" || case.policies.is_some()) {
                return wrong(
                    "with offline = true a host decides by its roster: about open-session alone, and it names no policies",
                );
            }
        }
        if cases.cases.is_empty() {
            return Err("there is no case in it; each begins with [[case]]".to_owned());
        }
        Ok(cases)
    }

    /// Asks `policies` about each of them.
    ///
    /// # Errors
    /// A case cannot be asked about.
    pub fn ask(&self, policies: &PolicySet) -> Result<Vec<CaseResult>, String> {
        self.cases.iter().map(|case| case.ask(policies)).collect()
    }
}

impl Case {
    fn ask(&self, policies: &PolicySet) -> Result<CaseResult, String> {
        let invalid =
            |error: countersign_protocol::ids::InvalidId| format!("the case {:?}: {error}", self.name);
        let host = self.host.clone().map_or_else(|| HOST.parse().map_err(invalid), Ok)?;
        let application =
            self.application.clone().map_or_else(|| "countersign".parse().map_err(invalid), Ok)?;
        let here = || format!("session/{host}").parse().map_err(invalid);
        let resource = self.resource.clone().map_or_else(here, Ok)?;
        let place =
            self.place.map(|from| Place { from, seat: self.seat.clone(), terminal: self.terminal.clone() });
        let facts = Facts {
            account: AccountFacts {
                name: &self.account,
                roles: &self.roles,
                groups: &self.groups,
                logins: &self.logins,
                state: &self.state,
            },
            instance: InstanceFacts { fingerprint: &host, application: &application, state: self.host_state },
            operation: &self.operation,
            resource: &resource,
            about: None,
            login: self.login.as_ref(),
            service: self.service.as_ref(),
            place: place.as_ref(),
            claimed: self.claimed.as_deref(),
            time: Some(self.time.unwrap_or(NOON)),
            offline: self.offline,
        };
        if self.offline {
            let permitted = policies.permits_session_offline(&facts);
            let (decision, said) = if permitted {
                (Decision::Allowed, "The host lets them in by its roster.")
            } else {
                (Decision::Denied, "The host's roster does not let them in.")
            };
            return Ok(self.compare(decision, Vec::new(), said.to_owned()));
        }
        let mut approved = Vec::new();
        let (decision, named, reason) = match policies.decide(&facts) {
            PolicyDecision::Allowed { policies: named, reason, approvals } => {
                approved = policies.demand(&self.operation, &resource, approvals);
                (Decision::Allowed, named, reason)
            }
            PolicyDecision::Denied { policies, reason } => (Decision::Denied, policies, reason),
        };
        let mut result = self.compare(decision, named, reason);
        if !approved.is_empty() {
            result.said.push_str(&format!("; after {}", approval::any_of(&approved)));
        }
        let needed = approval::spelled(&approved);
        if let Some(expected) = self.approvals.as_ref().filter(|expected| **expected != needed) {
            result.passed = false;
            result.said.push_str(&format!("; expected approvals: {expected:?}"));
        }
        if !result.passed && decision == Decision::Denied {
            let explained = policies.explain(&facts).map_err(|error| error.to_string())?;
            for why in explained.forbids.iter().chain(&explained.nearest).take(3) {
                let words: Vec<&str> = why.conditions.iter().map(|one| one.words.as_str()).collect();
                result.said.push_str(&format!("\n      {}: {}", why.policy.id, words.join("; and ")));
            }
        }
        Ok(result)
    }

    fn compare(&self, decision: Decision, policies: Vec<String>, reason: String) -> CaseResult {
        let mut wrong = Vec::new();
        if decision != self.expect {
            wrong.push(format!("expected {}", word(self.expect)));
        }
        if let Some(expected) = self.policies.as_ref().filter(|expected| !same(expected, &policies)) {
            wrong.push(format!("expected policies: {}", listed(expected)));
        }
        if let Some(expected) = self.reason.as_ref().filter(|expected| **expected != reason) {
            wrong.push(format!("expected reason: {expected}"));
        }
        let passed = wrong.is_empty();
        wrong.push(reason);
        CaseResult { name: self.name.clone(), passed, decision, policies, said: wrong.join("; ") }
    }
}

fn same(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|id| other.contains(id))
}

fn listed(ids: &[String]) -> String {
    if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
}

const fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Allowed => "allowed",
        Decision::Denied => "denied",
    }
}

impl fmt::Display for CaseResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, passed, decision, policies, said } = self;
        let mark = if *passed { "ok   " } else { "WRONG" };
        write!(f, "{mark} {name}: {} by {}. {said}", word(*decision), listed(policies))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &str = include_str!("tests/cases.toml");

    fn ask(text: &str) -> Vec<CaseResult> {
        Cases::read(text).unwrap().ask(&PolicySet::default_set().unwrap()).unwrap()
    }

    /// The example of the document.
    fn example() -> &'static str {
        const DOCUMENT: &str = include_str!("../../../../docs/policy.md");
        let text = &DOCUMENT[DOCUMENT.find("[[case]]").unwrap()..];
        &text[..text.find("```").unwrap()]
    }

    #[test]
    fn the_default_policy_passes_its_cases_and_those_of_the_document() {
        for (text, number) in [(CASES, 6), (example(), 2)] {
            let results = ask(text);
            assert_eq!(results.len(), number);
            for result in results {
                assert!(result.passed, "{result}");
            }
        }
    }

    #[test]
    fn each_expectation_that_does_not_hold_is_told() {
        let case = "[[case]]\nname = \"x\"\naccount = \"ana\"\nlogins = [\"ana\"]\noperation = \"open-session\"\nlogin = \"ana\"\n";
        for (expected, told) in [
            (
                "expect = \"denied\"",
                "WRONG x: allowed by login-bound-to-account. expected denied; This login",
            ),
            ("expect = \"allowed\"\npolicies = []", "expected policies: none"),
            ("expect = \"allowed\"\nreason = \"No.\"", "expected reason: No."),
            ("expect = \"allowed\"\nlogin = \"root\"", ""),
        ] {
            let text = format!("{case}{expected}\n");
            if told.is_empty() {
                assert!(Cases::read(&text).unwrap_err().contains("duplicate key"));
                continue;
            }
            let [result] = ask(&text).try_into().unwrap();
            assert!(!result.passed && result.to_string().contains(told), "{result}");
        }
        let text = case.replace("login = \"ana\"", "login = \"root\"") + "expect = \"allowed\"";
        let [result] = ask(&text).try_into().unwrap();
        assert!(
            result.to_string().contains("login-bound-to-account: the account's logins would have to"),
            "{result}"
        );
    }

    #[test]
    fn what_cannot_be_asked_is_refused_with_its_case() {
        let begin = "[[case]]\nname = \"x\"\naccount = \"ana\"\nexpect = \"denied\"\n";
        for (rest, told) in [
            ("operation = \"read\"", "the case \"x\": it names no resource"),
            ("operation = \"open-session\"\nstate = \"invited\"", "state is one of"),
            ("operation = \"open-session\"\nseat = \"seat0\"", "needs place"),
            ("operation = \"open-session\"\noffline = true\npolicies = []", "names no policies"),
            ("operation = \"open-session\"\nrole = [\"user\"]", "unknown field `role`"),
            ("operation = \"open-session\"\nroles = [\"king\"]", "king"),
            ("operation = \"open-session\"\ntime = \"noon\"", "line 6"),
        ] {
            let said = Cases::read(&format!("{begin}{rest}\n")).unwrap_err();
            assert!(said.contains(told), "{told:?} is not in {said:?}");
        }
        assert!(Cases::read("case = []").unwrap_err().contains("there is no case"));
    }
}
