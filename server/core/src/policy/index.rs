//! Which policies can match a question: Cedar looks at each one it is given, and most are about something else.
//!
//! The first key is action and type of resource. Behind it, a policy that names one account, one resource, or begins
//! with a test for roles waits for that account, resource or role. A thousand policies about other things cost nothing.

use std::collections::BTreeMap;

use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicySet as CedarPolicies, PrincipalConstraint, ResourceConstraint,
    Schema,
};
use serde_json::Value;

use super::document::PolicyError;
use super::facts::Facts;

/// Everything, by action and type of resource.
pub(super) struct Index(BTreeMap<String, BTreeMap<String, Bucket>>);

/// The policies for one action on one type of resource. Each is in one place, or in that of each role it names.
#[derive(Default)]
pub(super) struct Bucket {
    always: CedarPolicies,
    accounts: BTreeMap<String, CedarPolicies>,
    resources: BTreeMap<String, CedarPolicies>,
    roles: BTreeMap<String, CedarPolicies>,
}

impl Index {
    pub(super) fn of(schema: &Schema, policies: &[Policy]) -> Result<Self, PolicyError> {
        let mut index: BTreeMap<String, BTreeMap<String, Bucket>> = BTreeMap::new();
        for question in schema.request_envs() {
            let (action, resource) = (question.action(), question.resource().to_string());
            let fits = |policy: &&Policy| action_fits(policy, action) && resource_fits(policy, &resource);
            let bucket = Bucket::of(policies.iter().filter(fits).cloned().collect())?;
            index.entry(action.id().unescaped().to_owned()).or_default().insert(resource, bucket);
        }
        Ok(Self(index))
    }

    /// Those for this action on this type of resource, if the schema knows both together.
    pub(super) fn get(&self, action: &str, resource: &str) -> Option<&Bucket> {
        self.0.get(action)?.get(resource)
    }

    /// Each of them once, in the order of their ids.
    pub(super) fn all(&self, action: &str, resource: &str) -> Vec<Policy> {
        self.get(action, resource).map(Bucket::all).unwrap_or_default()
    }
}

impl Bucket {
    pub(super) fn of(policies: Vec<Policy>) -> Result<Self, PolicyError> {
        let mut bucket = Self::default();
        for policy in policies {
            for place in bucket.places(&policy) {
                let added = place.add(policy.clone());
                added.map_err(|error| PolicyError::general(error.to_string()))?;
            }
        }
        Ok(bucket)
    }

    fn places(&mut self, policy: &Policy) -> Vec<&mut CedarPolicies> {
        if let PrincipalConstraint::Eq(account) = policy.principal_constraint() {
            return vec![self.accounts.entry(account.id().unescaped().to_owned()).or_default()];
        }
        if let ResourceConstraint::Eq(resource) = policy.resource_constraint() {
            return vec![self.resources.entry(resource.id().unescaped().to_owned()).or_default()];
        }
        match roles(policy) {
            None => vec![&mut self.always],
            Some(roles) => {
                for role in &roles {
                    self.roles.entry(role.clone()).or_default();
                }
                self.roles
                    .iter_mut()
                    .filter(|(role, _)| roles.contains(role))
                    .map(|(_, place)| place)
                    .collect()
            }
        }
    }

    /// Those that can match.
    pub(super) fn fitting<'a>(&'a self, facts: &'a Facts<'_>) -> impl Iterator<Item = &'a CedarPolicies> {
        let account = self.accounts.get(facts.account.name.as_str());
        let resource = self.resources.get(facts.resource_id());
        let roles = facts.account.roles.iter().filter_map(|role| self.roles.get(role.as_str()));
        let always = Some(&self.always).filter(|policies| !policies.is_empty());
        always.into_iter().chain(account).chain(resource).chain(roles)
    }

    pub(super) fn all(&self) -> Vec<Policy> {
        let named = self.accounts.values().chain(self.resources.values()).chain(self.roles.values());
        let all = std::iter::once(&self.always).chain(named).flat_map(CedarPolicies::policies);
        let once: BTreeMap<String, &Policy> = all.map(|policy| (policy.id().to_string(), policy)).collect();
        once.into_values().cloned().collect()
    }
}

fn action_fits(policy: &Policy, action: &EntityUid) -> bool {
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(only) => only == *action,
        // The schema has no groups of actions, so a list means its members.
        ActionConstraint::In(some) => some.contains(action),
    }
}

fn resource_fits(policy: &Policy, resource: &str) -> bool {
    match policy.resource_constraint() {
        // `in` follows parents of other types, so it may match anything.
        ResourceConstraint::Any | ResourceConstraint::In(_) => true,
        ResourceConstraint::Eq(one) => one.type_name().to_string() == resource,
        ResourceConstraint::Is(kind) | ResourceConstraint::IsIn(kind, _) => kind.to_string() == resource,
    }
}

/// The roles one of which an account must have for the policy to say anything: where its conditions begin with a test
/// for them. What comes after it is not even looked at for anybody else, so it cannot fail for them either.
fn roles(policy: &Policy) -> Option<Vec<String>> {
    let json = policy.to_json().ok()?;
    let first = json.get("conditions")?.as_array()?.first()?;
    if first.get("kind")?.as_str()? != "when" {
        return None;
    }
    let mut test = first.get("body")?;
    while let Some(both) = test.get("&&") {
        test = both.get("left")?;
    }
    let of = |operator: &str| {
        let operands = test.get(operator)?;
        let left = operands.get("left")?.get(".")?;
        let is_roles =
            left.get("attr")?.as_str()? == "roles" && left.get("left")?.get("Var")?.as_str()? == "principal";
        is_roles.then(|| operands.get("right")).flatten()
    };
    let word = |value: &Value| value.get("Value")?.as_str().map(str::to_owned);
    if let Some(one) = of("contains") {
        return Some(vec![word(one)?]);
    }
    of("containsAny")?.get("Set")?.as_array()?.iter().map(word).collect()
}
