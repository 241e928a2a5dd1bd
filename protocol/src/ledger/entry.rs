//! One leaf of the log.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::LedgerError;
use crate::clock::Timestamp;
use crate::ids::{
    AccountName, ApplicationName, CorrelationId, Digest, Fingerprint, LoginName, MessageId, Operation,
    ResourceName, ServiceName,
};
use crate::limits;
use crate::message::Version;

/// Names of details that a reader of the log goes by.
pub mod detail {
    /// The primary fingerprint of a key that ended with the entry; of several, with a space between.
    pub const REVOKED_KEY: &str = "revoked-key";
    /// Whose it was.
    pub const OF_ACCOUNT: &str = "of-account";
    /// When a host let somebody in without the server, by its own clock.
    pub const AT: &str = "at";
    /// The policy document that was changed.
    pub const POLICY: &str = "policy";
    /// Which version of it the change brought, counted from 1.
    pub const POLICY_VERSION: &str = "policy-version";
    /// SHA-256 of its text from then on, or [`POLICY_REMOVED`].
    pub const POLICY_DIGEST: &str = "policy-digest";
    /// In place of a digest: the document was taken out.
    pub const POLICY_REMOVED: &str = "removed";
    /// The number of the change: what entries decided by these policies name as their `policy_epoch`.
    pub const POLICY_EPOCH: &str = "policy-epoch";
    /// Only tried: what would have been decided, `allowed` or `denied`. Nothing was changed.
    pub const DRY_RUN: &str = "dry-run";
    /// The request was accepted, and is done by the API: until when its result is kept.
    pub const QUEUED_UNTIL: &str = "queued-until";
    /// The request waits for approvals, until then. Nothing was changed so far.
    pub const WAITING: &str = "waiting";
    /// The approvals that a request needs, as [`spelled`](crate::approval::spelled); of one that has them, which it needed.
    pub const APPROVALS_NEEDED: &str = "approvals-needed";
    /// Of a request that has its approvals: the place of the entry of each, a colon, and SHA-256 of the statement that gave
    /// it; with a space between.
    pub const APPROVED_BY: &str = "approved-by";
    /// Of an approval: SHA-256 of the statement that it is for.
    pub const APPROVES: &str = "approves";
    /// Of whatever is about a request that waits, or waited: its id.
    pub const REQUEST: &str = "request";
    /// Somebody took their approval of it back.
    pub const TAKEN_BACK: &str = "approval-taken-back";
    /// An emergency code was typed: what became of it. Only in entries about that.
    pub const EMERGENCY_CODE: &str = "emergency-code";
}

/// What happened, to whom, where, and why: the JSON that is hashed into the tree.
///
/// An entry stays for ever, so nothing personal is ever written here: no address, no telephone number, no
/// signed bytes. Those lie beside the log, named by a salted digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Always 1.
    pub v: Version,
    /// When the server decided.
    pub time: Timestamp,
    /// What kind of thing happened.
    pub kind: EntryKind,
    /// What people quote.
    pub correlation: CorrelationId,
    /// The instance that asked or that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Fingerprint>,
    /// The application, where one is involved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationName>,
    /// The account that asked or that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
    /// Primary fingerprint of the certificate whose signature on the statement **was good**; of a key-update or
    /// enrolment, the certificate it is about. Never a key that was only claimed: an export with a statement
    /// that this certificate did not sign fails its verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Fingerprint>,
    /// What was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// On what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceName>,
    /// For which login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginName>,
    /// By which PAM service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// How it ended.
    pub decision: Outcome,
    /// Why, in a sentence.
    pub reason: String,
    /// What was checked, in order; a failed check is the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// Which policy was in force; 0 where policy was not asked.
    pub policy_epoch: u64,
    /// Ids of the policies that decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// The message that this answers, where there was one that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// SHA-256 of the signed statement's bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Digest>,
    /// [`Evidence::digest`](crate::message::result::Evidence::digest) of what lies beside the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Digest>,
    /// What only this kind of entry has, as words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, String>,
}

/// The kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// The server came into being.
    Bootstrap,
    /// An instance was enrolled.
    Enrolment,
    /// An instance has new session subkeys.
    KeyUpdate,
    /// A new key took an instance's place.
    Rotation,
    /// A check-in that changed something or raised an alarm; the others are not recorded.
    CheckIn,
    /// A certificate became an account's.
    Registration,
    /// A step on the way to a registration, or a failed one.
    RegistrationTry,
    /// A recovery began. Its end is a registration.
    Recovery,
    /// A key ended by its own revocation certificate, or one that revokes nothing was brought.
    Revocation,
    /// A person's request.
    Job,
    /// What came of a person's request about documents, which the API did.
    JobDone,
    /// The result of one was fetched.
    JobResult,
    /// A person's request that never came, as its host was told; it can happen no more.
    NeverHappened,
    /// Something that a host saw.
    HostEvent,
    /// A login that a host let in by its roster, and that we would have let in. Any other is an alarm.
    OfflineUse,
    /// A letter to a person that could not be delivered.
    Undelivered,
    /// A message that got the one opaque answer.
    Refusal,
    /// Something that an administrator must look at.
    Alarm,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Allowed,
    /// Nothing happened.
    Denied,
    /// There was nothing to decide.
    Noted,
}

impl EntryKind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Bootstrap,
        Self::Enrolment,
        Self::KeyUpdate,
        Self::Rotation,
        Self::CheckIn,
        Self::Registration,
        Self::RegistrationTry,
        Self::Recovery,
        Self::Revocation,
        Self::Job,
        Self::JobDone,
        Self::JobResult,
        Self::NeverHappened,
        Self::HostEvent,
        Self::OfflineUse,
        Self::Undelivered,
        Self::Refusal,
        Self::Alarm,
    ];

    /// The word that entries and filters have for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Enrolment => "enrolment",
            Self::KeyUpdate => "key-update",
            Self::Rotation => "rotation",
            Self::CheckIn => "check-in",
            Self::Registration => "registration",
            Self::RegistrationTry => "registration-try",
            Self::Recovery => "recovery",
            Self::Revocation => "revocation",
            Self::Job => "job",
            Self::JobDone => "job-done",
            Self::JobResult => "job-result",
            Self::NeverHappened => "never-happened",
            Self::HostEvent => "host-event",
            Self::OfflineUse => "offline-use",
            Self::Undelivered => "undelivered",
            Self::Refusal => "refusal",
            Self::Alarm => "alarm",
        }
    }
}

impl FromStr for EntryKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| UnknownWord(Self::ALL.map(Self::as_str).join(", ")))
    }
}

impl Outcome {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Noted => "noted",
        }
    }
}

impl FromStr for Outcome {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let all = [Self::Allowed, Self::Denied, Self::Noted];
        let found = all.iter().find(|outcome| outcome.as_str() == text).copied();
        found.ok_or_else(|| UnknownWord(all.map(Self::as_str).join(", ")))
    }
}

/// Not one of the words there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not one of: {0}")]
pub struct UnknownWord(String);

/// One check and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Which: `instance-active`, `statement-signature`, `policy` …
    pub name: String,
    /// Did it pass?
    pub passed: bool,
}

impl Check {
    /// A check that passed.
    #[must_use]
    pub fn passed(name: &str) -> Self {
        Self { name: name.to_owned(), passed: true }
    }

    /// A check that failed.
    #[must_use]
    pub fn failed(name: &str) -> Self {
        Self { name: name.to_owned(), passed: false }
    }
}

impl Entry {
    /// An entry with what every entry has; the rest is set field by field.
    #[must_use]
    pub fn new(
        kind: EntryKind,
        time: Timestamp,
        correlation: CorrelationId,
        decision: Outcome,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            v: Version,
            time,
            kind,
            correlation,
            instance: None,
            application: None,
            account: None,
            key: None,
            operation: None,
            resource: None,
            login: None,
            service: None,
            decision,
            reason: reason.into(),
            checks: Vec::new(),
            policy_epoch: 0,
            policies: Vec::new(),
            message: None,
            statement: None,
            evidence: None,
            detail: BTreeMap::new(),
        }
    }

    /// The leaf's bytes.
    ///
    /// # Errors
    /// [`LedgerError::Entry`] above [`limits::LEDGER_ENTRY`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, LedgerError> {
        let bytes = serde_json::to_vec(self).map_err(|error| LedgerError::Entry(error.to_string()))?;
        within_limit(&bytes)?;
        Ok(bytes)
    }

    /// Reads a leaf back.
    ///
    /// # Errors
    /// [`LedgerError::Entry`] for anything that is not exactly one entry.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LedgerError> {
        within_limit(bytes)?;
        serde_json::from_slice(bytes).map_err(|error| LedgerError::Entry(error.to_string()))
    }
}

fn within_limit(bytes: &[u8]) -> Result<(), LedgerError> {
    if bytes.len() > limits::LEDGER_ENTRY {
        return Err(LedgerError::Entry(format!(
            "{} bytes, more than the {} that an entry may have",
            bytes.len(),
            limits::LEDGER_ENTRY
        )));
    }
    Ok(())
}
