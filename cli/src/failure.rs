//! What went wrong, said once for people, programs and the exit code.

use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ipc::{Denial, DenyReason, Problem, ProblemKind};
use countersign_protocol::message::Decision;
use serde::Serialize;

use crate::job::Recorded;

/// Why a command did not do what it was asked.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    /// What happened.
    pub(crate) message: String,
    /// What to do next, where the message does not say so already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
    /// To be quoted to an administrator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correlation: Option<CorrelationId>,
}

/// For programs; decides the exit code. Agent's words first, then our own.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub(crate) enum Kind {
    Problem(ProblemKind),
    Denied(DenyReason),
    /// Nothing went wrong: the request was only tried.
    Tried(Decision),
    /// Nothing went wrong: the request waits for other people's approvals.
    Waits,
    Local(LocalKind),
}

/// Troubles that the agent does not know of.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LocalKind {
    /// Nobody listens on the socket.
    AgentNotRunning,
    /// The socket is there and not for us.
    SocketNotPermitted,
    /// Agent and command line do not understand each other.
    AgentProtocol,
    /// A file could not be read or written, or does not hold what it should.
    File,
    /// There is nothing of that name.
    NotFound,
    /// A certificate could not be fetched from the web.
    NotFetched,
    /// A change of PAM waits to be confirmed.
    Unconfirmed,
    /// With PAM changed, somebody who should get in does not.
    TrialFailed,
    /// A question, and nobody to ask.
    NoTerminal,
    /// Standard output could not be written.
    Output,
    /// An export does not prove what it claims.
    LedgerUntrusted,
    /// The journal of this host was changed.
    JournalUntrusted,
    /// Policies that no server would take.
    PolicyWrong,
    /// What was asked was allowed, and could not be done.
    NotDone,
    /// What was asked was allowed, and waits to be done.
    NotDoneYet,
    /// A grant that answers another request than ours.
    GrantUntrusted,
}

impl Failure {
    /// The end of a command whose request was only tried: there is nothing to go on with.
    pub(crate) fn tried(decision: Decision, reason: String, recorded: &Recorded) -> Self {
        Self {
            kind: Kind::Tried(decision),
            message: reason,
            next: Some(format!("  recorded    entry {} of the ledger", recorded.ledger_index)),
            correlation: Some(recorded.correlation.clone()),
        }
    }

    pub(crate) fn local(kind: LocalKind, message: impl Into<String>) -> Self {
        Self { kind: Kind::Local(kind), message: message.into(), next: None, correlation: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        let kind = Kind::Problem(ProblemKind::Usage);
        Self { kind, message: message.into(), next: None, correlation: None }
    }

    pub(crate) fn file(message: impl Into<String>) -> Self {
        Self::local(LocalKind::File, message)
    }

    pub(crate) fn then(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self {
            kind: Kind::Problem(problem.kind),
            message: problem.message,
            next: None,
            correlation: Some(problem.correlation),
        }
    }
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        Self {
            kind: Kind::Denied(denial.reason),
            message: denial.message,
            next: None,
            correlation: Some(denial.correlation),
        }
    }
}
