//! Why this host does not let somebody in by itself, and what to do.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::statement::StatementProofError;
use countersign_protocol::ids::ServiceName;

use crate::journal::{JournalError, UseError};

/// Why not. Each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Denial {
    /// None was ever sent, or the one on disk is none.
    #[error(
        "this host holds no roster to decide by. It gets one at its next contact with the server: see to the network, then try again"
    )]
    NoRoster,
    /// It has ended.
    #[error(
        "this host's roster expired at {}. It gets another at its next contact with the server: see to the network, then try again",
        moment(*.0)
    )]
    Expired(Timestamp),
    /// It begins later.
    #[error(
        "this host's roster is from {}, which is still to come: the clock here or at the server is wrong. Set it right, then try again",
        moment(*.0)
    )]
    FromTheFuture(Timestamp),
    /// It ended with a refusal.
    #[error(
        "the server refused this host the last time it could be reached. Ask an administrator about this host"
    )]
    HostRefused,
    /// The card's statement.
    #[error("{0}. Try again, and tell an administrator if it happens again")]
    Statement(#[from] StatementProofError),
    /// The statement is about something else than was asked.
    #[error(
        "the card signed another {0} than was asked. Try again, and tell an administrator if it happens again"
    )]
    Another(&'static str),
    /// The account's certificate in the roster.
    #[error("the certificate of the account cannot be read ({0}). Tell an administrator")]
    Certificate(String),
    /// Nobody with this card.
    #[error("by its roster no such card opens this login here. Wait for the server, or ask an administrator")]
    NotInRoster,
    /// Only with the server's word.
    #[error(
        "the policy does not permit {0} without it. Wait for the server, or ask an administrator for another way in"
    )]
    OnlyOnline(ServiceName),
    /// Not the code.
    #[error(
        "the emergency code is not the one that this host knows. It can be tried here only {max} times",
        max = countersign_protocol::limits::EMERGENCY_TRIES
    )]
    WrongCode,
    /// It cannot be used here any more, or never could.
    #[error(
        "the emergency code cannot be used here without it: it was used, or tried too often, or is not known here. Wait for the server, or ask an administrator for another way in"
    )]
    CodeSpent,
    /// There are no more.
    #[error(
        "all {0} uses that this account has without it are spent. The next contact with the server brings new ones: see to the network, then try again"
    )]
    Spent(u32),
    /// Nobody knows how many are left.
    #[error(
        "the journal that counted the uses was lost, so that there may be none left. The next contact with the server brings new ones: see to the network, then try again"
    )]
    CountLost,
    /// What was counted may not be true.
    #[error(
        "this host's journal, which counts the uses, was changed or damaged. Wait for the server; and as root, to have logins without it again: countersign status"
    )]
    JournalBroken,
    /// It cannot be written down.
    #[error(
        "the login cannot be written down here first ({0}). As root: make room on the disk, or see what countersignd says in the system's log"
    )]
    NotKept(#[from] JournalError),
}

impl Denial {
    /// The same, for an account that had so many uses.
    pub(super) fn of(error: UseError, uses: u32) -> Self {
        match error {
            UseError::Spent => Self::Spent(uses),
            UseError::CountLost => Self::CountLost,
            UseError::Broken => Self::JournalBroken,
            UseError::NotKept(error) => Self::NotKept(error),
        }
    }

    /// The same for an emergency code.
    pub(super) fn of_code(error: UseError) -> Self {
        match error {
            UseError::Spent => Self::CodeSpent,
            other => Self::of(other, 0),
        }
    }
}

/// A moment for people: `2026-11-23 18:20 UTC`.
pub(super) fn moment(time: Timestamp) -> String {
    let text = time.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => text,
    }
}
