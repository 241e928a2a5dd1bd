//! What the agent says: notes and prompts on the way, one last word at the end.

use serde::{Deserialize, Serialize};

use super::card::{CardChanged, CardChecked, CardDetails, CardMade};
use super::{JournalChecked, JournalPage, KeyRevoked, Noted, Recovered, SshKeysFound, StatusReport};
use crate::emergency::EmergencyCode;
use crate::ids::{AccountName, CardIdent, CorrelationId, Digest, Fingerprint, MessageId, Nonce};
use crate::message::{Decision, JobStanding, RecoveryBegun, Waiting};
use crate::recovery::RecoveryCode;

/// One frame from the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reply {
    /// Show this; no answer.
    Note {
        /// How to show it.
        kind: NoteKind,
        /// The sentence.
        text: String,
    },
    /// Ask this; one answer.
    Prompt(Prompt),
    /// Last word: yes.
    Granted(Grant),
    /// Last word: no.
    Denied(Denial),
    /// Last word: the session is written down.
    Noted(Noted),
    /// Last word: how things stand.
    Status(Box<StatusReport>),
    /// Last word: a page of the journal. A body with its entries follows.
    Journal(JournalPage),
    /// Last word: whether the journal is whole.
    JournalChecked(JournalChecked),
    /// Last word: the cards.
    Cards {
        /// One a reader with a card in it.
        cards: Vec<CardReport>,
    },
    /// Last word: one card.
    CardDetails(CardDetails),
    /// Last word: the card has new keys.
    CardMade(CardMade),
    /// Last word: the card was changed.
    CardChanged(CardChanged),
    /// Last word: how a certificate fits a card.
    CardChecked(CardChecked),
    /// Last word: this host is an instance.
    Enrolled(Enrolled),
    /// Last word: this card is the account's key.
    Registered(Registered),
    /// Last word: how a recovery stands.
    Recovered(Recovered),
    /// Last word: what a revocation certificate ended.
    KeyRevoked(KeyRevoked),
    /// Last word: the keys that open a login name through SSH.
    SshKeys(SshKeysFound),
    /// Last word: the server answered a job. A body, if any, follows as a [`super::FrameKind::Body`] frame.
    JobDone(JobDone),
    /// Last word: it could not be done.
    Failed(Problem),
}

/// How to show a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// Good to know.
    Info,
    /// Something went wrong.
    Error,
    /// The address by which an authenticator program learns its secret: to be drawn as a picture. In no login.
    Authenticator,
}

/// A question to the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// How to ask.
    pub kind: PromptKind,
    /// The question, ending as it should be shown: `PIN for YubiKey …1234 (3 tries left): `.
    pub text: String,
}

/// How to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromptKind {
    /// Without echo; answered by a secret frame.
    Hidden,
    /// With echo; answered by [`super::Answer::Text`].
    Shown,
}

/// The login may go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The request's nonce.
    pub nonce: Nonce,
    /// Whose card it was; none for an account check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
    /// Where the server's decision lies in the ledger; none for an account check, or if the host decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_index: Option<u64>,
    /// Where this host's own decision, made without the server, lies in its journal; none otherwise. A login has
    /// exactly one of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal_index: Option<u64>,
    /// SHA-256 of the statement that was signed; none for an account check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Digest>,
    /// To be quoted to an administrator.
    pub correlation: CorrelationId,
}

/// The login may not go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// For the program.
    pub reason: DenyReason,
    /// For the person: what happened, and what to do next.
    pub message: String,
    /// To be quoted to an administrator.
    pub correlation: CorrelationId,
}

/// Why not. `pam-module/src/outcome.rs` turns each into a PAM code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DenyReason {
    /// The server's policy says no, or no account is bound to this login.
    Policy,
    /// The card did not accept the PIN.
    WrongPin,
    /// The card accepts no PIN any more.
    CardBlocked,
    /// One try was left and the person did not want to spend it.
    LastTryRefused,
    /// No card that is registered for this login came in time.
    NoCard,
    /// The card went away.
    CardGone,
    /// The card waited for a touch that did not come.
    TouchTimeout,
    /// The card failed in another way.
    CardFailed,
    /// The caller does not sit at the card's seat.
    RemoteSession,
    /// The server could not be reached, or its answer was not one to our request.
    ServerUnavailable,
    /// This host is not enrolled, or not approved, or suspended.
    NotEnrolled,
    /// The person gave up.
    Cancelled,
    /// The overall deadline passed.
    TimedOut,
    /// Too many requests at once, or another request or program has the card.
    Busy,
    /// The agent failed; its log has the correlation id.
    Internal,
}

/// One card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardReport {
    /// The reader's name.
    pub reader: String,
    /// The card, unless it is not an OpenPGP card or does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ident: Option<CardIdent>,
    /// Tries left for the user's PIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<u8>,
    /// The signature key in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<Fingerprint>,
    /// `host` for the card with this instance's key, `user` otherwise.
    pub role: String,
    /// Accounts of this host's roster whose key it holds.
    pub accounts: Vec<AccountName>,
    /// What is wrong with it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The host is an instance now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// Its name in the server.
    pub instance: Fingerprint,
    /// To be read to the administrator who approves it.
    pub key_words: String,
    /// `active`, or `pending` until then.
    pub state: String,
    /// Where the key lives, in words.
    pub key_store: String,
    /// Where it lies in the ledger.
    pub ledger_index: u64,
    /// The name that the host had before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Fingerprint>,
}

/// The card is the account's key now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registered {
    /// The account.
    pub account: AccountName,
    /// The card.
    pub card: CardIdent,
    /// The certificate's primary fingerprint.
    pub certificate: Fingerprint,
    /// Its key words.
    pub key_words: String,
    /// Where it lies in the ledger.
    pub ledger_index: u64,
    /// For the person, to be written down; none if the account has one already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency_code: Option<EmergencyCode>,
    /// The same, for the day on which all cards are lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_code: Option<RecoveryCode>,
    /// The key is not the account's yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<RecoveryBegun>,
}

/// A job's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobDone {
    /// Done, or refused by policy.
    pub allowed: bool,
    /// Why, in words.
    pub reason: String,
    /// Where it lies in the ledger.
    pub ledger_index: u64,
    /// To be quoted to an administrator.
    pub correlation: CorrelationId,
    /// Whether a body with the result's JSON follows.
    pub has_result: bool,
    /// Of a request that was only tried: what would come of it. `allowed` is `false` then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<Decision>,
    /// It waits for other people's approvals. `allowed` is `false` so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Of a request that was accepted to be done by whoever has the documents: how that stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobStood>,
}

/// How an accepted request stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobStood {
    /// Its name: the id of its request.
    pub job: MessageId,
    /// How it stands.
    pub standing: JobStanding,
    /// In words.
    pub reason: String,
}

/// Something could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// For the program; decides the exit code.
    pub kind: ProblemKind,
    /// What happened, and what to do next.
    pub message: String,
    /// To be quoted to an administrator.
    pub correlation: CorrelationId,
}

/// What kind of trouble. The command line's exit codes follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// The request itself is wrong.
    Usage,
    /// The caller may not ask this.
    NotPermitted,
    /// The host is not enrolled, or enrolled already.
    Enrolment,
    /// A card is missing, wrong, blocked or failing.
    Card,
    /// The person gave up.
    Cancelled,
    /// The server could not be reached.
    Server,
    /// The server refused.
    Refused,
    /// The server's answer does not prove what it must: somebody may be in between.
    Untrusted,
    /// Too much at once; try again.
    Busy,
    /// The agent failed; its log has the correlation id.
    Internal,
}
