//! What the PAM module says and hears: the part of [`super::Request`] and [`super::Reply`] that a login needs.
//!
//! The same bytes on the wire. The module is loaded into every program that calls PAM: it reads and writes flat
//! objects alone, and a reply it has no use for is refused.

use zeroize::Zeroizing;

use super::flat::{Flat, Writer};
use super::{
    Account, Authenticate, Denial, DenyReason, Grant, NoteKind, Noted, PinChange, Prompt, PromptKind,
    SessionClosed, SessionOpened,
};
use crate::ids::{CorrelationId, LoginName, Nonce, ServiceName};

/// A [`super::Request`] that the module makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginRequest {
    /// `pam_sm_authenticate`
    Authenticate(Authenticate),
    /// `pam_sm_acct_mgmt`
    Account(Account),
    /// `pam_sm_open_session`
    SessionOpened(SessionOpened),
    /// `pam_sm_close_session`
    SessionClosed(SessionClosed),
    /// `pam_sm_chauthtok`, the preliminary check: can the PIN of this login's card be changed here and now?
    PinCheck(PinChange),
    /// `pam_sm_chauthtok`
    PinChange(PinChange),
}

impl LoginRequest {
    /// The same bytes that [`super::Request`] is written as.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Authenticate(ask) => begin("authenticate", &ask.login, &ask.service)
                .claims(&ask.tty, &ask.remote_host, &ask.remote_user)
                .nonce(&ask.nonce),
            Self::Account(ask) => begin("account", &ask.login, &ask.service).nonce(&ask.nonce),
            Self::SessionOpened(ask) => begin("session-opened", &ask.login, &ask.service)
                .claims(&ask.tty, &ask.remote_host, &ask.remote_user)
                .correlation(ask.correlation.as_ref()),
            Self::SessionClosed(ask) => {
                begin("session-closed", &ask.login, &ask.service).correlation(ask.correlation.as_ref())
            }
            Self::PinCheck(ask) | Self::PinChange(ask) => {
                let name = if matches!(self, Self::PinCheck(_)) { "pin-check" } else { "pin-change" };
                begin(name, &ask.login, &ask.service)
                    .claims(&ask.tty, &ask.remote_host, &ask.remote_user)
                    .nonce(&ask.nonce)
            }
        }
        .finish()
    }
}

fn begin(name: &str, login: &LoginName, service: &ServiceName) -> Writer {
    Writer::new("request", name).text("login", login.as_str()).text("service", service.as_str())
}

impl Writer {
    fn claims(self, tty: &Option<String>, host: &Option<String>, user: &Option<String>) -> Self {
        self.maybe("tty", tty.as_deref())
            .maybe("remote_host", host.as_deref())
            .maybe("remote_user", user.as_deref())
    }

    fn nonce(self, nonce: &Nonce) -> Self {
        self.text("nonce", &nonce.to_string())
    }

    fn correlation(self, correlation: Option<&CorrelationId>) -> Self {
        self.maybe("correlation", correlation.map(CorrelationId::as_str))
    }
}

/// A [`super::Reply`] that the module has a use for.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Last word: the session is written down.
    Noted(Noted),
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

impl LoginReply {
    /// Reads the body of a frame. Takes each reply's own fields, and insists that nothing is left over.
    #[must_use]
    pub fn from_json(body: &[u8]) -> Option<Self> {
        let mut fields = Flat::read(body)?;
        let reply = match fields.text("reply")?.as_str() {
            "note" => Self::Note {
                kind: match fields.text("kind")?.as_str() {
                    "info" => NoteKind::Info,
                    "error" => NoteKind::Error,
                    _ => return None,
                },
                text: fields.text("text")?,
            },
            "prompt" => Self::Prompt(Prompt {
                kind: match fields.text("kind")?.as_str() {
                    "hidden" => PromptKind::Hidden,
                    "shown" => PromptKind::Shown,
                    _ => return None,
                },
                text: fields.text("text")?,
            }),
            "granted" => Self::Granted(Grant {
                nonce: fields.parsed("nonce")?,
                account: fields.parsed("account"),
                ledger_index: fields.number("ledger_index"),
                journal_index: fields.number("journal_index"),
                statement: fields.parsed("statement"),
                correlation: fields.parsed("correlation")?,
            }),
            "denied" => Self::Denied(Denial {
                reason: DenyReason::of_word(&fields.text("reason")?),
                message: fields.text("message")?,
                correlation: fields.parsed("correlation")?,
            }),
            "noted" => Self::Noted(Noted { correlation: fields.parsed("correlation")? }),
            "failed" => Self::Failed {
                kind: fields.text("kind")?,
                message: fields.text("message")?,
                correlation: fields.parsed("correlation")?,
            },
            _ => return None,
        };
        fields.is_empty().then_some(reply)
    }
}

impl DenyReason {
    /// By its word on the wire. A word that an agent of the next release may have for another reason is
    /// [`Self::Internal`]: whatever it means, it is a no, and the sentence beside it says why.
    fn of_word(word: &str) -> Self {
        match word {
            "policy" => Self::Policy,
            "wrong-pin" => Self::WrongPin,
            "card-blocked" => Self::CardBlocked,
            "last-try-refused" => Self::LastTryRefused,
            "no-card" => Self::NoCard,
            "card-gone" => Self::CardGone,
            "touch-timeout" => Self::TouchTimeout,
            "card-failed" => Self::CardFailed,
            "remote-session" => Self::RemoteSession,
            "server-unavailable" => Self::ServerUnavailable,
            "not-enrolled" => Self::NotEnrolled,
            "cancelled" => Self::Cancelled,
            "timed-out" => Self::TimedOut,
            "busy" => Self::Busy,
            _ => Self::Internal,
        }
    }
}
