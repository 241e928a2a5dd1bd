//! Reading policies, and refusing those that could not work.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicyId, PolicySet as CedarPolicies, ResourceConstraint, Schema,
    ValidationMode, Validator,
};

use super::references::is_known;
use super::sight::{SERVICE, Sight};
use super::{DEFAULT, SCHEMA};

/// Policies that hold together, ready to decide.
pub struct PolicySet {
    epoch: u64,
    pub(super) schema: Schema,
    /// Cedar looks at every policy it is given, so each question gets only those whose scope can match it.
    pub(super) candidates: BTreeMap<(String, String), CedarPolicies>,
    /// Those about sessions, as a roster's two halves need them.
    pub(super) sessions_beforehand: CedarPolicies,
    pub(super) sessions_offline: CedarPolicies,
    pub(super) offline_by_service: bool,
}

/// Why a policy text is refused.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Larger than any policy a person could review.
    #[error("the policy is {0} bytes; at most {LARGEST} are accepted")]
    TooLarge(usize),
    /// Not Cedar.
    #[error("the policy cannot be read: {0}")]
    Syntax(String),
    /// Placeholders are not filled by anything.
    #[error("the policy has a template (?principal or ?resource); write the account or resource out")]
    Template,
    /// The ledger names policies by their ids.
    #[error("a policy has no {annotation}: {policy}. Put {annotation}(\"…\") in front of it")]
    Unlabelled {
        /// `@id` or `@reason`.
        annotation: &'static str,
        /// How it begins.
        policy: String,
    },
    /// Two with one id.
    #[error("two policies have the id {0:?}; the ledger could not tell them apart")]
    SameId(String),
    /// It speaks of what does not exist, or can never apply.
    #[error("the policy does not fit the schema:\n  {}", .0.join("\n  "))]
    Invalid(Vec<String>),
    /// The schema in this program is broken.
    #[error("the schema cannot be read: {0}")]
    Schema(String),
}

/// Largest policy text.
const LARGEST: usize = 256 * 1024;

/// The question that rosters answer.
const SESSIONS: [&str; 2] = ["open-session", "Session"];

/// Largest `@id`, in characters.
const LONGEST_ID: usize = 64;

impl PolicySet {
    /// The default policy, as epoch 1.
    ///
    /// # Errors
    /// [`PolicyError`]: this program was built wrongly.
    pub fn default_set() -> Result<Self, PolicyError> {
        Self::load(DEFAULT, 1)
    }

    /// Reads `text`, the version that is numbered `epoch`.
    ///
    /// # Errors
    /// [`PolicyError`]; the policy in force stays.
    pub fn load(text: &str, epoch: u64) -> Result<Self, PolicyError> {
        if text.len() > LARGEST {
            return Err(PolicyError::TooLarge(text.len()));
        }
        let (schema, _) =
            Schema::from_cedarschema_str(SCHEMA).map_err(|error| PolicyError::Schema(error.to_string()))?;
        let policies = labelled(text)?;
        validate(&schema, &policies)?;
        let candidates = index(&schema, &policies)?;
        let sessions = candidates.get(&SESSIONS.map(str::to_owned).into()).cloned().unwrap_or_default();
        let sessions_beforehand = Sight::Beforehand.of(&sessions)?;
        let sessions_offline = Sight::Offline.of(&sessions)?;
        let offline_by_service = sessions_offline.policies().any(mentions_service);
        Ok(Self { epoch, schema, candidates, sessions_beforehand, sessions_offline, offline_by_service })
    }

    /// The number of this version, for the ledger.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// The policies under the ids that their authors gave them.
fn labelled(text: &str) -> Result<CedarPolicies, PolicyError> {
    let parsed: CedarPolicies = text.parse().map_err(|error: cedar_policy::ParseErrors| {
        PolicyError::Syntax(error.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })?;
    if parsed.templates().next().is_some() {
        return Err(PolicyError::Template);
    }
    let mut seen = BTreeSet::new();
    let mut labelled = CedarPolicies::new();
    for policy in parsed.policies() {
        let id = annotation(policy, "@id")?;
        if id.len() > LONGEST_ID || !id.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
            return Err(PolicyError::Invalid(vec![format!(
                "the id {id:?} is not 1 to 64 of A-Z a-z 0-9 . _ -"
            )]));
        }
        annotation(policy, "@reason")?;
        if !seen.insert(id.to_owned()) {
            return Err(PolicyError::SameId(id.to_owned()));
        }
        add(&mut labelled, policy.new_id(PolicyId::new(id)))?;
    }
    Ok(labelled)
}

fn annotation<'a>(policy: &'a Policy, name: &'static str) -> Result<&'a str, PolicyError> {
    let text = policy.annotation(name.trim_start_matches('@')).unwrap_or_default().trim();
    if text.is_empty() {
        let policy = policy.to_string().chars().take(80).collect::<String>().replace('\n', " ");
        return Err(PolicyError::Unlabelled { annotation: name, policy });
    }
    Ok(text)
}

/// Warnings refuse as errors do: a policy that can never apply, or whose letters only look like others, is not
/// what its author means.
fn validate(schema: &Schema, policies: &CedarPolicies) -> Result<(), PolicyError> {
    let result = Validator::new(schema.clone()).validate(policies, ValidationMode::Strict);
    let errors = result.validation_errors().map(ToString::to_string);
    let mut found: Vec<String> =
        errors.chain(result.validation_warnings().map(ToString::to_string)).collect();
    found.sort();
    if found.is_empty() { Ok(()) } else { Err(PolicyError::Invalid(found)) }
}

fn index(
    schema: &Schema,
    policies: &CedarPolicies,
) -> Result<BTreeMap<(String, String), CedarPolicies>, PolicyError> {
    let mut candidates = BTreeMap::new();
    for question in schema.request_envs() {
        let (action, resource) = (question.action(), question.resource());
        let mut fitting = CedarPolicies::new();
        for policy in policies.policies() {
            let fits = action_fits(policy, action) && resource_fits(policy, &resource.to_string());
            if fits {
                add(&mut fitting, policy.clone())?;
            }
        }
        candidates.insert((action.id().unescaped().to_owned(), resource.to_string()), fitting);
    }
    Ok(candidates)
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

/// Whether it may say another thing of another service.
fn mentions_service(policy: &Policy) -> bool {
    let all_but = |path: &[&str]| path != SERVICE;
    let bodies = policy.to_json().ok().and_then(|json| json.get("conditions")?.as_array().cloned());
    bodies.is_none_or(|conditions| {
        !conditions.iter().all(|one| one.get("body").is_some_and(|body| is_known(body, &all_but)))
    })
}

pub(super) fn add(policies: &mut CedarPolicies, policy: Policy) -> Result<(), PolicyError> {
    policies.add(policy).map_err(|error| PolicyError::Syntax(error.to_string()))
}
