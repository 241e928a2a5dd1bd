//! What the PAM module says and hears: the part of [`super::Request`] and [`super::Reply`] that a login needs.
//!
//! The same bytes on the wire. The module is loaded into every program that calls PAM; without status reports,
//! enrolment and times, and read into one flat struct, it is half the size, and a reply it has no use for is
//! refused.

use serde::{Deserialize, Serialize};

use super::{Account, Authenticate, Denial, DenyReason, Grant, NoteKind, Prompt, PromptKind};
use crate::ids::{AccountName, CorrelationId, Digest, Nonce};

/// A [`super::Request`] that the module makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum LoginRequest {
    /// `pam_sm_authenticate`
    Authenticate(Authenticate),
    /// `pam_sm_acct_mgmt`
    Account(Account),
}

/// A [`super::Reply`] that the module has a use for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub enum LoginReply {
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
    /// Last word: it could not be done. As [`super::Problem`], its kind in words.
    Failed {
        /// A [`super::ProblemKind`], for the log.
        kind: String,
        /// What happened, and what to do next.
        message: String,
        /// To be quoted to an administrator.
        correlation: CorrelationId,
    },
}

/// A reply whose fields do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a reply to a login, or with a field too many or too few")]
pub struct NotALoginReply;

/// Every field that one of the replies has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    reply: String,
    kind: Option<String>,
    text: Option<String>,
    nonce: Option<Nonce>,
    account: Option<AccountName>,
    ledger_index: Option<u64>,
    journal_index: Option<u64>,
    statement: Option<Digest>,
    reason: Option<DenyReason>,
    message: Option<String>,
    correlation: Option<CorrelationId>,
}

impl TryFrom<Fields> for LoginReply {
    type Error = NotALoginReply;

    /// Takes each reply's own fields, and insists that nothing is left over.
    fn try_from(mut fields: Fields) -> Result<Self, NotALoginReply> {
        let reply = match fields.reply.as_str() {
            "note" => Self::Note {
                kind: match fields.kind()?.as_str() {
                    "info" => NoteKind::Info,
                    "error" => NoteKind::Error,
                    _ => return Err(NotALoginReply),
                },
                text: fields.text.take().ok_or(NotALoginReply)?,
            },
            "prompt" => Self::Prompt(Prompt {
                kind: match fields.kind()?.as_str() {
                    "hidden" => PromptKind::Hidden,
                    "shown" => PromptKind::Shown,
                    _ => return Err(NotALoginReply),
                },
                text: fields.text.take().ok_or(NotALoginReply)?,
            }),
            "granted" => Self::Granted(Grant {
                nonce: fields.nonce.take().ok_or(NotALoginReply)?,
                account: fields.account.take(),
                ledger_index: fields.ledger_index.take(),
                journal_index: fields.journal_index.take(),
                statement: fields.statement.take(),
                correlation: fields.correlation()?,
            }),
            "denied" => Self::Denied(Denial {
                reason: fields.reason.take().ok_or(NotALoginReply)?,
                message: fields.message()?,
                correlation: fields.correlation()?,
            }),
            "failed" => Self::Failed {
                kind: fields.kind()?,
                message: fields.message()?,
                correlation: fields.correlation()?,
            },
            _ => return Err(NotALoginReply),
        };
        match fields {
            Fields {
                reply: _,
                kind: None,
                text: None,
                nonce: None,
                account: None,
                ledger_index: None,
                journal_index: None,
                statement: None,
                reason: None,
                message: None,
                correlation: None,
            } => Ok(reply),
            _ => Err(NotALoginReply),
        }
    }
}

impl Fields {
    fn kind(&mut self) -> Result<String, NotALoginReply> {
        self.kind.take().ok_or(NotALoginReply)
    }

    fn message(&mut self) -> Result<String, NotALoginReply> {
        self.message.take().ok_or(NotALoginReply)
    }

    fn correlation(&mut self) -> Result<CorrelationId, NotALoginReply> {
        self.correlation.take().ok_or(NotALoginReply)
    }
}
