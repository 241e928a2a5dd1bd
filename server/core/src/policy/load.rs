//! Reading policies, and refusing those that could not work.

use std::collections::BTreeMap;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{Policy, PolicyId, PolicySet as CedarPolicies, Schema, ValidationMode, Validator};
use countersign_protocol::approval::Needs;
use countersign_protocol::ids::PolicyName;
use countersign_protocol::limits;

use super::approvals::{self, APPROVALS};
use super::document::{Document, Fault, PolicyError};
use super::index::{Bucket, Index};
use super::references::is_known;
use super::sight::{SERVICE, Sight};
use super::{DEFAULT, DEFAULT_NAME, SCHEMA};

/// Policies that hold together, ready to decide.
pub struct PolicySet {
    epoch: u64,
    pub(super) schema: Schema,
    /// Cedar looks at every policy it is given, so each question gets only those whose scope can match it.
    pub(super) index: Index,
    /// Those about sessions, as a roster's two halves need them.
    pub(super) sessions_beforehand: Bucket,
    pub(super) sessions_offline: Bucket,
    pub(super) offline_by_service: bool,
    /// In which document each policy is.
    homes: BTreeMap<String, PolicyName>,
    /// What each policy asks for that asks for approvals.
    pub(super) approvals: BTreeMap<String, Needs>,
}

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
        Self::of_one(DEFAULT, 1)
    }

    /// Reads `text` as the one document that there is.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn of_one(text: &str, epoch: u64) -> Result<Self, PolicyError> {
        let name = DEFAULT_NAME.parse().map_err(|error| PolicyError::general(format!("{error}")))?;
        Self::load(&[Document { name, text: text.to_owned() }], epoch)
    }

    /// Reads all documents that are in force together since `epoch`.
    ///
    /// # Errors
    /// [`PolicyError`], with everything that is wrong; the set in force stays.
    pub fn load(documents: &[Document], epoch: u64) -> Result<Self, PolicyError> {
        within_limits(documents)?;
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA)
            .map_err(|error| PolicyError::general(format!("the schema cannot be read: {error}")))?;
        let mut reader = Reader::default();
        for document in documents {
            reader.read(document, &schema);
        }
        let Reader { policies, homes, approvals, faults } = reader;
        if !faults.is_empty() {
            return Err(PolicyError(faults));
        }
        let index = Index::of(&schema, &policies)?;
        let mut sessions = index.all(SESSIONS[0], SESSIONS[1]);
        // A login does not wait for approvals.
        sessions.retain(|policy| policy.annotation(APPROVALS).is_none());
        let offline = Sight::Offline.of(&sessions)?;
        let offline_by_service = offline.iter().any(mentions_service);
        Ok(Self {
            epoch,
            schema,
            index,
            sessions_beforehand: Bucket::of(Sight::Beforehand.of(&sessions)?)?,
            sessions_offline: Bucket::of(offline)?,
            offline_by_service,
            homes,
            approvals,
        })
    }

    /// The number of this version, for the ledger.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many policies there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.homes.len()
    }

    /// The document that holds the policy `id`.
    #[must_use]
    pub fn home(&self, id: &str) -> Option<&PolicyName> {
        self.homes.get(id)
    }
}

fn within_limits(documents: &[Document]) -> Result<(), PolicyError> {
    let mut faults: Vec<Fault> = documents
        .iter()
        .filter(|document| document.text.len() > limits::POLICY_DOCUMENT)
        .map(|document| {
            let (size, most) = (document.text.len(), limits::POLICY_DOCUMENT);
            document.fault(
                None,
                format!("it is {size} bytes; at most {most} are accepted. Divide it into two documents"),
            )
        })
        .collect();
    let total: usize = documents.iter().map(|document| document.text.len()).sum();
    if documents.len() > limits::POLICY_DOCUMENTS || total > limits::POLICIES {
        faults.extend(
            PolicyError::general(format!(
                "{} documents of {total} bytes in all; at most {} of {} bytes in all are accepted. Take out what no \
                 host needs any more",
                documents.len(),
                limits::POLICY_DOCUMENTS,
                limits::POLICIES
            ))
            .0,
        );
    }
    if faults.is_empty() { Ok(()) } else { Err(PolicyError(faults)) }
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    policies: Vec<Policy>,
    homes: BTreeMap<String, PolicyName>,
    approvals: BTreeMap<String, Needs>,
    faults: Vec<Fault>,
}

impl Reader {
    fn read(&mut self, document: &Document, schema: &Schema) {
        let parsed: CedarPolicies = match document.text.parse() {
            Ok(parsed) => parsed,
            Err(errors) => {
                let errors: cedar_policy::ParseErrors = errors;
                let found = errors.iter().map(|error| {
                    let mut error = DetailedError::from(error);
                    error.message = format!("this cannot be read: {}", error.message);
                    document.found(&error, "")
                });
                self.faults.extend(found);
                return;
            }
        };
        if parsed.templates().next().is_some() {
            let what = "there is a template (?principal or ?resource); write the account or resource out";
            self.faults.push(document.fault(None, what));
        }
        let mut labelled = CedarPolicies::new();
        for policy in parsed.policies() {
            match self.label(document, policy) {
                Ok(policy) => {
                    if labelled.add(policy.clone()).is_ok() {
                        self.policies.push(policy);
                    }
                }
                Err(fault) => self.faults.push(fault),
            }
        }
        self.faults.extend(validate(document, schema, &labelled));
    }

    /// The policy under the id that its author gave it.
    fn label(&mut self, document: &Document, policy: &Policy) -> Result<Policy, Fault> {
        let id = annotation(document, policy, "@id")?;
        if id.len() > LONGEST_ID || !id.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
            let what = format!("the id {id:?} is not 1 to 64 of A-Z a-z 0-9 . _ -");
            return Err(document.fault(document.text.find(id), what));
        }
        annotation(document, policy, "@reason")?;
        if let Some(other) = self.homes.insert(id.to_owned(), document.name.clone()) {
            let second = document.text.rfind(&format!("\"{id}\""));
            let what = format!(
                "two policies have the id {id:?}, and the ledger could not tell them apart; the other one is in {other}. \
                 Give one of them another id"
            );
            return Err(document.fault(second, what));
        }
        if let Some(needs) = approvals::asked(document, policy)? {
            self.approvals.insert(id.to_owned(), needs);
        }
        Ok(policy.new_id(PolicyId::new(id)))
    }
}

fn annotation<'a>(document: &Document, policy: &'a Policy, name: &'static str) -> Result<&'a str, Fault> {
    let text = policy.annotation(name.trim_start_matches('@')).unwrap_or_default().trim();
    if text.is_empty() {
        let written = policy.to_string();
        let shown = written.chars().take(80).collect::<String>().replace('\n', " ");
        let what = format!("a policy has no {name}: {shown}. Put {name}(\"…\") in front of it");
        return Err(document.fault(document.text.find(&written), what));
    }
    Ok(text)
}

/// Warnings refuse as errors do: a policy that can never apply, or whose letters only look like others, is not
/// what its author means.
fn validate(document: &Document, schema: &Schema, policies: &CedarPolicies) -> Vec<Fault> {
    let result = Validator::new(schema.clone()).validate(policies, ValidationMode::Strict);
    let errors = result.validation_errors().map(DetailedError::from);
    let mut faults: Vec<Fault> = errors
        .chain(result.validation_warnings().map(DetailedError::from))
        .map(|mut error| {
            error.message = format!("this does not fit the schema: {}", error.message);
            document.found(&error, "docs/policy.md lists what a policy sees")
        })
        .collect();
    faults.sort_by(|one, other| (one.at, &one.what).cmp(&(other.at, &other.what)));
    // Cedar says the same again for each action.
    faults.dedup_by(|one, other| one.at.is_some() && one.at == other.at);
    faults
}

/// Whether it may say another thing of another service.
fn mentions_service(policy: &Policy) -> bool {
    let all_but = |path: &[&str]| path != SERVICE;
    let bodies = policy.to_json().ok().and_then(|json| json.get("conditions")?.as_array().cloned());
    bodies.is_none_or(|conditions| {
        !conditions.iter().all(|one| one.get("body").is_some_and(|body| is_known(body, &all_but)))
    })
}
