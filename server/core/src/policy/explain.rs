//! Why a decision is as it is. A default deny has no policies of its own: then the nearest misses are looked for.
//!
//! Each policy is taken apart into what must hold all at once: its scope, the parts of its `when` that `&&` joins, the
//! parts of its `unless` that `||` joins. Each part is asked for itself.

mod parts;
mod words;

use cedar_policy::{
    Authorizer, Decision as Said, Effect, Entities, Policy, PolicySet as CedarPolicies, Request,
};
use countersign_protocol::message::Decision;
use countersign_protocol::message::result::{PolicyCondition, PolicyExplained, PolicyNamed, PolicyWhy};

use self::parts::Part;
use super::decide::PolicyDecision;
use super::document::PolicyError;
use super::facts::{Facts, entity_type};
use super::load::PolicySet;

/// Misses that are told: what is further off helps nobody.
const NEAREST: usize = 8;

impl PolicySet {
    /// Decides, and tells why. For whoever may know all policies.
    ///
    /// # Errors
    /// [`PolicyError`]: a policy that was read before cannot be taken apart.
    pub fn explain(&self, facts: &Facts<'_>) -> Result<PolicyExplained, PolicyError> {
        let (decision, reason, approvals) = match self.decide(facts) {
            PolicyDecision::Allowed { reason, approvals, .. } => {
                (Decision::Allowed, reason, self.demand(facts.operation, facts.resource, approvals))
            }
            PolicyDecision::Denied { reason, .. } => (Decision::Denied, reason, Vec::new()),
        };
        let mut explained = PolicyExplained {
            question: facts.in_a_line(),
            decision,
            reason,
            policy_epoch: self.epoch(),
            permits: Vec::new(),
            forbids: Vec::new(),
            nearest: Vec::new(),
            notes: Vec::new(),
            approvals,
        };
        let (operation, collection) = (facts.operation.as_str(), facts.resource.collection());
        let kind = entity_type(collection).filter(|kind| self.index.get(operation, kind).is_some());
        let Some(kind) = kind else {
            explained
                .notes
                .push(format!("There is no {operation} on {collection}: no policy can permit it."));
            return Ok(explained);
        };
        let (request, entities) = facts.to_cedar(kind, Some(&self.schema)).map_err(PolicyError::general)?;
        let case = Case { facts, request, entities };
        for policy in self.index.all(operation, kind) {
            let named = self.named(&policy)?;
            let failing = case.failing(&policy)?;
            match (policy.effect(), failing.is_empty()) {
                (Effect::Permit, true) => explained.permits.push(named),
                (Effect::Permit, false) => {
                    explained.nearest.push(PolicyWhy { policy: named, conditions: failing });
                }
                (Effect::Forbid, true) => {
                    let conditions = case.lifting(&policy)?;
                    explained.forbids.push(PolicyWhy { policy: named, conditions });
                }
                (Effect::Forbid, false) => {}
            }
        }
        if !explained.permits.is_empty() {
            explained.nearest.clear();
        }
        explained.nearest.sort_by_key(|miss| miss.conditions.len());
        explained.nearest.truncate(NEAREST);
        Ok(explained)
    }

    fn named(&self, policy: &Policy) -> Result<PolicyNamed, PolicyError> {
        let id = policy.id().to_string();
        let home = self.home(&id).cloned();
        let document = home.ok_or_else(|| PolicyError::general(format!("{id} is in no document")))?;
        let reason = policy.annotation("reason").unwrap_or_default().to_owned();
        let approvals = self.approvals.get(&id).cloned();
        Ok(PolicyNamed { document, reason, id, approvals })
    }
}

/// One question, ready to be asked of one part after the other.
struct Case<'a> {
    facts: &'a Facts<'a>,
    request: Request,
    entities: Entities,
}

impl Case<'_> {
    /// The parts that do not hold, and what would have to be so. What cannot be told because an earlier part does not
    /// hold, such as the value of what the request does not have, is no further miss.
    fn failing(&self, policy: &Policy) -> Result<Vec<PolicyCondition>, PolicyError> {
        let mut failing = Vec::new();
        for part in Part::of(policy)? {
            match self.holds(&part)? {
                Some(true) => {}
                None if !failing.is_empty() => {}
                Some(false) | None => failing.push(self.told(&part, false)),
            }
        }
        Ok(failing)
    }

    /// The parts of a policy that forbids, each as what would have to be so for it not to forbid.
    fn lifting(&self, policy: &Policy) -> Result<Vec<PolicyCondition>, PolicyError> {
        Ok(Part::of(policy)?.iter().map(|part| self.told(part, true)).collect())
    }

    fn told(&self, part: &Part, otherwise: bool) -> PolicyCondition {
        PolicyCondition { written: part.written(), words: words::needed(part, self.facts, otherwise) }
    }

    /// None if it cannot be evaluated.
    fn holds(&self, part: &Part) -> Result<Option<bool>, PolicyError> {
        let mut alone = CedarPolicies::new();
        alone.add(part.alone()?).map_err(|error| PolicyError::general(error.to_string()))?;
        let response = Authorizer::new().is_authorized(&self.request, &alone, &self.entities);
        let failed = response.diagnostics().errors().next().is_some();
        Ok((!failed).then(|| response.decision() == Said::Allow))
    }
}
