//! Why a request could not be served, in words for the person and a kind for the program.

use countersign_protocol::envelope::OpenFromCardError;
use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ipc::{DenyReason, ProblemKind};
use countersign_protocol::message::HostEventKind;

use crate::card::{CardError, OpenError, PinError};
use crate::person::Gone;
use crate::wire::LinkError;

/// One failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    /// For the program.
    pub kind: ProblemKind,
    /// What happened, and what to do next.
    pub message: String,
    /// What a login is denied for, where the kind says too little.
    pub reason: Option<DenyReason>,
    /// Under which id it is known already, if it is.
    pub correlation: Option<CorrelationId>,
}

impl Trouble {
    /// A failure of this kind.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), reason: None, correlation: None }
    }

    /// The same, which a login is denied for as this.
    #[must_use]
    pub fn denied_for(self, reason: DenyReason) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// The same, known under this id.
    #[must_use]
    pub fn known_as(self, correlation: CorrelationId) -> Self {
        Self { correlation: Some(correlation), ..self }
    }
}

impl From<Gone> for Trouble {
    fn from(gone: Gone) -> Self {
        Self::new(
            ProblemKind::Cancelled,
            match gone {
                Gone::Cancelled => "Cancelled.",
                Gone::TimedOut => "No answer in time; nothing more was done. Try again.",
            },
        )
    }
}

impl From<LinkError> for Trouble {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Unreachable(why) => Self::new(
                ProblemKind::Server,
                format!(
                    "The server cannot be reached: {why}. Check the network and that the server runs, then try again."
                ),
            ),
            LinkError::Full(after) => Self::new(
                ProblemKind::Server,
                format!("The server has no place free. Try again in {} s.", after.as_secs()),
            ),
            LinkError::Refused { correlation, clock_was_wrong: Some(wrong) } => Self::new(
                ProblemKind::Refused,
                format!(
                    "The server refused the message; this host's clock was off by {wrong} s, which is known now. Try again. The server's log has the reason under {correlation}."
                ),
            ),
            LinkError::Refused { correlation, clock_was_wrong: None } => Self::new(
                ProblemKind::Refused,
                format!(
                    "The server refused the message. It tells nobody why; its administrator finds the reason under {correlation}."
                ),
            ),
            LinkError::Unproven(why) | LinkError::Untrusted(why) => Self::new(
                ProblemKind::Untrusted,
                format!(
                    "The answer is not one of your server's to this request ({why}). Nothing was done here; somebody may stand in between. Tell your administrator."
                ),
            ),
            LinkError::NotEnrolled => {
                Self::new(ProblemKind::Enrolment, "This host is not enrolled. As root: countersign enroll")
            }
            LinkError::Mute(why) => Self::new(ProblemKind::Internal, sentence(&why)),
            LinkError::Internal(why) => Self::new(ProblemKind::Internal, format!("{why}.")),
        }
    }
}

impl From<CardError> for Trouble {
    fn from(error: CardError) -> Self {
        match error {
            CardError::Cancelled => Gone::Cancelled.into(),
            CardError::Busy | CardError::Occupied { .. } | CardError::InUse(_) => {
                Self::new(ProblemKind::Busy, sentence(&error.to_string()))
            }
            error => Self::new(ProblemKind::Card, sentence(&error.to_string())).denied_for(reason(&error)),
        }
    }
}

/// Any of a card's secrets counts as its PIN.
pub(crate) const fn reason(error: &CardError) -> DenyReason {
    match error {
        CardError::WrongPin { tries: 0 }
        | CardError::WrongAdminPin { tries: 0 }
        | CardError::WrongResetCode { tries: 0 }
        | CardError::Blocked
        | CardError::AdminBlocked
        | CardError::NoResetCode => DenyReason::CardBlocked,
        CardError::WrongPin { .. } | CardError::WrongAdminPin { .. } | CardError::WrongResetCode { .. } => {
            DenyReason::WrongPin
        }
        CardError::LastTry | CardError::AdminLastTry | CardError::ResetCodeLastTry => {
            DenyReason::LastTryRefused
        }
        CardError::NoCard => DenyReason::NoCard,
        CardError::Gone | CardError::Swapped { .. } => DenyReason::CardGone,
        CardError::TouchTimeout => DenyReason::TouchTimeout,
        CardError::Busy | CardError::Occupied { .. } | CardError::InUse(_) => DenyReason::Busy,
        CardError::Cancelled => DenyReason::Cancelled,
        _ => DenyReason::CardFailed,
    }
}

/// What goes into the ledger about it, outside a login.
pub(crate) const fn event(error: &CardError) -> Option<HostEventKind> {
    match error {
        CardError::WrongPin { .. } | CardError::WrongAdminPin { .. } | CardError::WrongResetCode { .. } => {
            Some(HostEventKind::WrongPin)
        }
        CardError::Blocked | CardError::AdminBlocked => Some(HostEventKind::CardBlocked),
        CardError::Gone | CardError::Swapped { .. } => Some(HostEventKind::CardPulled),
        _ => None,
    }
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Card(error) => error.into(),
            OpenError::Sealed(error @ OpenFromCardError::OtherKey { .. }) => {
                Self::new(ProblemKind::Card, sentence(&error.to_string()))
            }
            OpenError::Sealed(error) => Self::new(ProblemKind::Untrusted, sentence(&error.to_string())),
        }
    }
}

impl From<PinError> for Trouble {
    fn from(error: PinError) -> Self {
        Self::new(ProblemKind::Card, sentence(&error.to_string()))
    }
}

macro_rules! internal {
    ($($error:ty),+) => {
        $(impl From<$error> for Trouble {
            fn from(error: $error) -> Self {
                Self::new(ProblemKind::Internal, sentence(&error.to_string()))
            }
        })+
    };
}

internal!(
    countersign_protocol::certificate::CertificateError,
    countersign_protocol::envelope::SealError,
    countersign_protocol::random::NoRandomness,
    countersign_protocol::ids::InvalidId,
    crate::state::StateError,
    crate::vault::VaultError,
    crate::journal::JournalError,
    crate::instance_key::PrimaryError
);

macro_rules! untrusted {
    ($($error:ty),+) => {
        $(impl From<$error> for Trouble {
            fn from(error: $error) -> Self {
                LinkError::from(error).into()
            }
        })+
    };
}

untrusted!(
    countersign_protocol::envelope::OpenError,
    countersign_protocol::ledger::LedgerError,
    countersign_protocol::message::MessageError
);

/// Error texts begin small and end without a stop, to be joined; a person reads a sentence.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let stop = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{}{}{stop}", first.to_uppercase(), chars.as_str())
}
