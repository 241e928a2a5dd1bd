//! Policies as documents, and why a decision is as it is.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::approval::Needs;
use crate::clock::Timestamp;
use crate::ids::{
    AccountName, CorrelationId, Digest, Fingerprint, LoginName, Operation, PolicyName, ResourceName,
    ServiceName,
};
use crate::message::Decision;
use crate::statement::Place;

/// Body of `create` and `update` on `policy/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    /// The version that this one replaces; none for a document that is new. Nobody overwrites what they did not see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<u64>,
    /// The whole document, in Cedar.
    pub text: String,
}

/// Body of `delete` on `policy/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRemoval {
    /// The version that is taken out.
    pub over: u64,
}

/// Result of `create`, `update` and `delete` on `policy/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyChanged {
    /// What it is now.
    pub document: PolicyVersion,
    /// Number of all changes so far: what rosters and ledger entries name from now on.
    pub epoch: u64,
    /// Policies in force, in all documents.
    pub policies: u64,
    /// `false` if it was the same text before: then there is no new version.
    pub changed: bool,
}

/// One version of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyVersion {
    /// Its name.
    pub name: PolicyName,
    /// Counted from 1. Taking a document out is a version, too.
    pub version: u64,
    /// SHA-256 of the text; none where the document was taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The change of all policies that brought it.
    pub epoch: u64,
    /// When.
    pub since: Timestamp,
    /// The account that changed it; none for the server's own console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<AccountName>,
}

/// Result of `read` on `policy/all`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyList {
    /// The newest version of each, by name.
    pub documents: Vec<PolicyVersion>,
    /// Number of all changes so far.
    pub epoch: u64,
}

/// Body of `read` on `policy/NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyAsked {
    /// Which version; the newest if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// Result of `read` on `policy/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyShown {
    /// The version that was asked for.
    pub document: PolicyVersion,
    /// Its text; none where the document was taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// All versions, the newest first.
    pub history: Vec<PolicyVersion>,
}

/// Body of `explain` on `policy/all`, and, with a correlation id alone, on `policy/mine`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ExplainAsked {
    /// A request that was decided.
    Correlation(CorrelationId),
    /// The same, by its place in the ledger.
    Entry(u64),
    /// One that nobody made.
    Question(Box<PolicyQuestion>),
}

/// A request that nobody made: who would ask for what, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyQuestion {
    /// Who.
    pub account: AccountName,
    /// What.
    pub operation: Operation,
    /// On what.
    pub resource: ResourceName,
    /// The host; the one that asks if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Fingerprint>,
    /// For `open-session`: which login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginName>,
    /// By which PAM service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What sudo's command line would claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<String>,
    /// When; now if not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// Whether the host would decide, because the server cannot be asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offline: bool,
}

/// Result of `explain` on `policy/mine`: what its person was told, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnDecision {
    /// What was decided.
    pub decision: Decision,
    /// Why, as it was said then.
    pub reason: String,
    /// When.
    pub time: Timestamp,
}

/// Result of `explain` on `policy/all`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyExplained {
    /// What is asked, in a line.
    pub question: String,
    /// What the policies say.
    pub decision: Decision,
    /// What the person reads.
    pub reason: String,
    /// The epoch of the policies that were asked.
    pub policy_epoch: u64,
    /// Policies that permit it.
    pub permits: Vec<PolicyNamed>,
    /// Policies that forbid it, with what makes them.
    pub forbids: Vec<PolicyWhy>,
    /// Where nothing permits it: the policies that would for the least, the nearest first, with what they miss.
    pub nearest: Vec<PolicyWhy>,
    /// What must be known beside it: what was recorded then, what changed since.
    pub notes: Vec<String>,
    /// Of what is permitted: how many of whom must approve it before it is done, any of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Needs>,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyNamed {
    /// Its `@id`.
    pub id: String,
    /// The document that holds it.
    pub document: PolicyName,
    /// Its `@reason`.
    pub reason: String,
    /// Its `@approvals`: it permits only what these people approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Needs>,
}

/// A policy and those of its conditions that matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyWhy {
    /// Which.
    pub policy: PolicyNamed,
    /// Of a policy that would permit it: what fails. Of one that forbids: what makes it, any of which could be otherwise.
    pub conditions: Vec<PolicyCondition>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyCondition {
    /// As it is written, in Cedar.
    pub written: String,
    /// What would have to be so, in words.
    pub words: String,
}

impl fmt::Display for PolicyNamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}: {}", self.id, self.document, self.reason)
    }
}
