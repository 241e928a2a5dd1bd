//! The decision, and the sentence that goes with it.

use std::collections::BTreeMap;

use cedar_policy::{AuthorizationError, Authorizer, Decision, PolicyId, PolicySet as CedarPolicies, Schema};
use countersign_protocol::approval::{self, Needs};

use super::approvals::{self, APPROVALS};
use super::document::PolicyError;
use super::facts::{Facts, entity_type};
use super::index::Bucket;
use super::load::PolicySet;
use super::sight::Sight;

/// What the policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum PolicyDecision {
    /// At least one policy permits it and none forbids it.
    Allowed {
        /// Ids of the policies that permit it, sorted: for the ledger, not for the person.
        policies: Vec<String>,
        /// For the person.
        reason: String,
        /// How many of whom must approve it before it is done, any of these; nobody if there are none.
        approvals: Vec<Needs>,
    },
    /// Everything else.
    Denied {
        /// Ids of the policies that forbid it or could not be evaluated, sorted; empty where none permits it.
        policies: Vec<String>,
        /// For the person. It names no policy, and is the same whether or not the resource exists.
        reason: String,
    },
}

impl PolicySet {
    /// Decides. Reads no clock, no store: the same facts get the same answer for as long as this set is in force.
    pub fn decide(&self, facts: &Facts<'_>) -> PolicyDecision {
        let known = entity_type(facts.resource.collection())
            .and_then(|kind| self.index.get(facts.operation.as_str(), kind).map(|policies| (kind, policies)));
        match known {
            Some((kind, policies)) => at_once(facts, ask(facts, kind, policies, Some(&self.schema))),
            None => PolicyDecision::Denied { policies: Vec::new(), reason: nobody_permits(facts) },
        }
    }

    /// Whether the server could permit this session at some time and by some service: whether it is worth a card's
    /// signature to ask.
    #[must_use]
    pub fn could_permit_session(&self, facts: &Facts<'_>) -> bool {
        let facts = Facts { time: None, service: None, offline: false, ..*facts };
        self.permits_session(&facts, &self.sessions_beforehand)
    }

    /// Whether it could be permitted at some time, from some place: not only at this moment.
    pub(super) fn beforehand(&self, operation: &str, collection: &str) -> Result<Beforehand, PolicyError> {
        let kind = entity_type(collection).unwrap_or_default();
        let policies = Bucket::of(Sight::Beforehand.of(&self.index.all(operation, kind))?)?;
        Ok(Beforehand { kind, policies })
    }

    /// Whether this session is permitted while the server cannot be asked, whatever the time.
    #[must_use]
    pub fn permits_session_offline(&self, facts: &Facts<'_>) -> bool {
        let facts = Facts { time: None, offline: true, ..*facts };
        self.permits_session(&facts, &self.sessions_offline)
    }

    /// Whether this session is permitted without the server being asked about it, whatever the time: to a host that hears
    /// of each change in time.
    #[must_use]
    pub fn permits_session_unasked(&self, facts: &Facts<'_>) -> bool {
        let facts = Facts { time: None, offline: false, ..*facts };
        self.permits_session(&facts, &self.sessions_offline)
    }

    /// Whether [`Self::permits_session_offline`] can answer differently for two services.
    #[must_use]
    pub const fn tells_services_apart_offline(&self) -> bool {
        self.offline_by_service
    }

    /// Without the schema, which wants the time: a policy that needs it all the same fails, and so denies.
    fn permits_session(&self, facts: &Facts<'_>, policies: &Bucket) -> bool {
        entity_type(facts.resource.collection()).is_some_and(|kind| {
            kind == SESSION && matches!(ask(facts, kind, policies, None), PolicyDecision::Allowed { .. })
        })
    }
}

/// The policies about one operation on one collection, as far as they can be known beforehand.
pub(super) struct Beforehand {
    kind: &'static str,
    policies: Bucket,
}

impl Beforehand {
    pub(super) fn permits(&self, facts: &Facts<'_>) -> bool {
        let facts = Facts { time: None, ..*facts };
        matches!(ask(&facts, self.kind, &self.policies, None), PolicyDecision::Allowed { .. })
    }
}

/// What does not wait for approvals is not permitted by a policy that asks for some.
fn at_once(facts: &Facts<'_>, decision: PolicyDecision) -> PolicyDecision {
    match decision {
        PolicyDecision::Allowed { policies, approvals, .. }
            if !approvals.is_empty() && !approvals::waits(facts.operation, facts.resource) =>
        {
            let needed = approval::any_of(&approvals);
            let reason = format!("Policy wants {needed} for this, and {} waits for none.", facts.operation);
            PolicyDecision::Denied { policies, reason }
        }
        decision => decision,
    }
}

fn ask(facts: &Facts<'_>, kind: &str, policies: &Bucket, schema: Option<&Schema>) -> PolicyDecision {
    let Ok((request, entities)) = facts.to_cedar(kind, schema) else {
        return PolicyDecision::Denied { policies: Vec::new(), reason: FAULT.to_owned() };
    };
    let authorizer = Authorizer::new();
    let (mut failed, mut forbids, mut permits) = (Said::default(), Said::default(), Said::default());
    for policies in policies.fitting(facts) {
        let response = authorizer.is_authorized(&request, policies, &entities);
        let diagnostics = response.diagnostics();
        for AuthorizationError::PolicyEvaluationError(error) in diagnostics.errors() {
            failed.add(error.policy_id(), policies);
        }
        let deciding = if response.decision() == Decision::Allow { &mut permits } else { &mut forbids };
        diagnostics.reason().for_each(|id| deciding.add(id, policies));
    }
    // Cedar skips a policy that fails while it is evaluated. That policy may be the one that forbids.
    if !failed.0.is_empty() {
        return PolicyDecision::Denied { policies: failed.ids(), reason: FAULT.to_owned() };
    }
    if !forbids.0.is_empty() {
        return PolicyDecision::Denied { reason: forbids.reason(), policies: forbids.ids() };
    }
    if !permits.0.is_empty() {
        // Read before, when the policies were; what cannot be read now permits nothing.
        let Some(approvals) = permits.approvals() else {
            return PolicyDecision::Denied { policies: permits.ids(), reason: FAULT.to_owned() };
        };
        return PolicyDecision::Allowed { reason: permits.reason(), policies: permits.ids(), approvals };
    }
    PolicyDecision::Denied { policies: Vec::new(), reason: nobody_permits(facts) }
}

/// Policies that decide, by their ids.
#[derive(Default)]
struct Said<'a>(BTreeMap<String, Annotations<'a>>);

/// What a policy says beside its conditions.
struct Annotations<'a> {
    reason: Option<&'a str>,
    approvals: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn add(&mut self, id: &PolicyId, policies: &'a CedarPolicies) {
        let said = |what: &str| policies.annotation(id, what);
        let annotations = Annotations { reason: said("reason"), approvals: said(APPROVALS) };
        self.0.insert(id.to_string(), annotations);
    }

    /// That of the first one.
    fn reason(&self) -> String {
        self.0.values().find_map(|said| said.reason).map(str::to_owned).unwrap_or_default()
    }

    /// What they ask for: nothing if one of them permits it without; otherwise what asks for the least.
    fn approvals(&self) -> Option<Vec<Needs>> {
        let asked: Option<Vec<&str>> = self.0.values().map(|said| said.approvals).collect();
        let Some(asked) = asked else { return Some(Vec::new()) };
        let needs: Result<Vec<Needs>, _> = asked.into_iter().map(Needs::read).collect();
        needs.ok().filter(|needs| needs.iter().all(|one| one.people() > 0)).map(approval::least)
    }

    fn ids(self) -> Vec<String> {
        self.0.into_keys().collect()
    }
}

/// What rosters are about.
const SESSION: &str = "Session";

const FAULT: &str =
    "The policy could not be evaluated, so nothing is allowed by it. An administrator must look at it.";

/// Nothing permits it, and there is no policy whose reason could be shown.
fn nobody_permits(facts: &Facts<'_>) -> String {
    let account = facts.account.name;
    match (facts.operation.as_str(), facts.login) {
        ("open-session", Some(login)) => format!("No policy lets account {account} open login {login} here."),
        (operation, _) => format!("No policy lets account {account} {operation} {}.", facts.resource),
    }
}
