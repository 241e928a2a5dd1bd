//! Exit codes: one table for the program, its help and `docs/exit-codes.md`.

use std::fmt::Write as _;
use std::process::ExitCode;

use countersign_protocol::ipc::{DenyReason, ProblemKind};
use countersign_protocol::message::Decision;

use crate::failure::{Kind, LocalKind};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Failed,
    Usage,
    Denied,
    Card,
    Server,
    NoAgent,
    NotPermitted,
    Enrolment,
    Untrusted,
    Attention,
    Waiting,
    Cancelled,
}

impl Exit {
    const ALL: [Self; 13] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Denied,
        Self::Card,
        Self::Server,
        Self::NoAgent,
        Self::NotPermitted,
        Self::Enrolment,
        Self::Untrusted,
        Self::Attention,
        Self::Waiting,
        Self::Cancelled,
    ];

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Denied => 3,
            Self::Card => 4,
            Self::Server => 5,
            Self::NoAgent => 6,
            Self::NotPermitted => 7,
            Self::Enrolment => 8,
            Self::Untrusted => 9,
            Self::Attention => 10,
            Self::Waiting => 11,
            // What a shell reports for a program that ^C ended.
            Self::Cancelled => 130,
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => {
                "failed: a file, a deadline, too much at once, a card that another program or request has, \
                 a request that was allowed and could not be done, or a fault of the program"
            }
            Self::Usage => "the command line is wrong",
            Self::Denied => "policy says no",
            Self::Card => "card or PIN: missing, wrong, blocked, pulled or not touched",
            Self::Server => "the server could not be reached, or refused",
            Self::NoAgent => "the agent is not running",
            Self::NotPermitted => "you may not ask this, or not from here",
            Self::Enrolment => "this host is not enrolled, not approved, or enrolled already",
            Self::Untrusted => "a proof does not hold: ledger, receipt, journal, or server fingerprint",
            Self::Attention => "status: done, and something needs attention",
            Self::Waiting => "not done yet: other people must approve it",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Problem(problem) => problem.into(),
            Kind::Denied(reason) => reason.into(),
            Kind::Tried(Decision::Allowed) => Self::Done,
            Kind::Tried(Decision::Denied) => Self::Denied,
            Kind::Waits => Self::Waiting,
            Kind::Local(local) => local.into(),
        }
    }
}

impl From<ProblemKind> for Exit {
    fn from(kind: ProblemKind) -> Self {
        match kind {
            ProblemKind::Usage => Self::Usage,
            ProblemKind::NotPermitted => Self::NotPermitted,
            ProblemKind::Enrolment => Self::Enrolment,
            ProblemKind::Card => Self::Card,
            ProblemKind::Cancelled => Self::Cancelled,
            ProblemKind::Server | ProblemKind::Refused => Self::Server,
            ProblemKind::Untrusted => Self::Untrusted,
            ProblemKind::Busy | ProblemKind::Internal => Self::Failed,
        }
    }
}

impl From<DenyReason> for Exit {
    fn from(reason: DenyReason) -> Self {
        match reason {
            DenyReason::Policy => Self::Denied,
            DenyReason::WrongPin
            | DenyReason::CardBlocked
            | DenyReason::LastTryRefused
            | DenyReason::NoCard
            | DenyReason::CardGone
            | DenyReason::TouchTimeout
            | DenyReason::CardFailed => Self::Card,
            DenyReason::RemoteSession => Self::NotPermitted,
            DenyReason::ServerUnavailable => Self::Server,
            DenyReason::NotEnrolled => Self::Enrolment,
            DenyReason::Cancelled => Self::Cancelled,
            DenyReason::TimedOut | DenyReason::Busy | DenyReason::Internal => Self::Failed,
        }
    }
}

impl From<LocalKind> for Exit {
    fn from(kind: LocalKind) -> Self {
        match kind {
            LocalKind::AgentNotRunning => Self::NoAgent,
            LocalKind::SocketNotPermitted => Self::NotPermitted,
            LocalKind::LedgerUntrusted | LocalKind::JournalUntrusted | LocalKind::GrantUntrusted => {
                Self::Untrusted
            }
            LocalKind::AgentProtocol
            | LocalKind::File
            | LocalKind::NotFetched
            | LocalKind::NoTerminal
            | LocalKind::Unconfirmed
            | LocalKind::TrialFailed
            | LocalKind::NotFound
            | LocalKind::PolicyWrong
            | LocalKind::NotDone
            | LocalKind::NotDoneYet
            | LocalKind::Output => Self::Failed,
        }
    }
}

/// The table under `--help`.
pub(crate) fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        let _ = writeln!(text, "  {:<4} {}", exit.code(), exit.meaning());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../docs/exit-codes.md");

    #[test]
    fn every_exit_code_is_in_the_document_with_the_same_words() {
        let rows: Vec<&str> = DOCUMENT.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        let expected: Vec<String> =
            Exit::ALL.iter().map(|exit| format!("| {} | {} |", exit.code(), exit.meaning())).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn no_two_endings_share_a_code() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Exit::ALL.len());
    }

    #[test]
    fn only_done_is_zero() {
        let zero: Vec<_> = Exit::ALL.iter().filter(|exit| exit.code() == 0).collect();
        assert_eq!(zero, [&Exit::Done]);
    }
}
