//! The end: the server's proven answer, the host's own yes where the server says nothing, or a denial with its reason
//! and what to do next.

use countersign_protocol::ids::AccountName;
use countersign_protocol::ipc::DenyReason;
use countersign_protocol::message::HostEventKind;

use super::{Choice, Event, NotHere, Session, Step};
use crate::answer::Answer;
use crate::card::CardError;
use crate::offline;
use crate::person::Gone;
use crate::trouble::{Trouble, sentence};
use crate::wire::LinkError;

/// Over.
#[derive(Debug)]
pub struct Decided {
    /// How.
    pub verdict: Verdict,
    /// The card, where one was chosen.
    pub choice: Option<Choice>,
    /// Whose emergency code was typed instead, where one was. Rare, so that it takes no room elsewhere.
    pub code_of: Option<Box<AccountName>>,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Verdict {
    /// The server decided, one way or the other.
    Answered(Answer),
    /// The server said nothing, and this host let the login in by its roster.
    GrantedHere(offline::Granted),
    /// It never came to that.
    Refused(Refused),
}

/// A denial by the host itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// For the program.
    pub reason: DenyReason,
    /// For the person: what happened, and what to do next.
    pub message: String,
    /// What goes into the ledger about it.
    pub event: Option<HostEventKind>,
}

impl Decided {
    pub(super) fn answered(answer: Answer, choice: Choice) -> Step {
        end(Verdict::Answered(answer), Some(choice))
    }

    pub(super) fn answered_code(answer: Answer, account: AccountName) -> Step {
        by_code(Verdict::Answered(answer), account)
    }

    pub(super) fn gone(gone: Gone, choice: Option<Choice>) -> Step {
        let reason = match gone {
            Gone::Cancelled => DenyReason::Cancelled,
            Gone::TimedOut => DenyReason::TimedOut,
        };
        refuse(reason, Trouble::from(gone).message, None, choice)
    }

    pub(super) fn no_card(error: &CardError, whose: &str) -> Step {
        match error {
            CardError::Cancelled => Self::gone(Gone::Cancelled, None),
            CardError::NoCard => {
                let message = format!("No card of {whose} was put in. Insert it and try again.");
                refuse(DenyReason::NoCard, message, None, None)
            }
            held @ CardError::InUse(_) => refuse(DenyReason::Busy, sentence(&held.to_string()), None, None),
            other => refuse(DenyReason::CardFailed, sentence(&other.to_string()), None, None),
        }
    }

    pub(super) fn last_try_refused(choice: Choice) -> Step {
        let message = format!(
            "The last try on {} was not used. Set a new PIN with countersign card unblock, or try again when you are sure of the old one.",
            choice.name
        );
        refuse(DenyReason::LastTryRefused, message, None, Some(choice))
    }

    /// What went wrong with a card that was chosen.
    pub(super) fn card(error: &CardError, choice: Choice) -> Step {
        let told = sentence(&error.to_string());
        let (reason, event, message) = match error {
            CardError::WrongPin { tries: 0 } | CardError::Blocked => {
                let told = sentence(&CardError::Blocked.to_string());
                (DenyReason::CardBlocked, Some(HostEventKind::CardBlocked), told)
            }
            CardError::WrongPin { tries } => {
                let left =
                    if *tries == 1 { "1 try left.".to_owned() } else { format!("{tries} tries left.") };
                (DenyReason::WrongPin, Some(HostEventKind::WrongPin), format!("Wrong PIN. {left}"))
            }
            CardError::LastTry => (DenyReason::LastTryRefused, None, told),
            CardError::Gone | CardError::NoCard | CardError::Swapped { .. } => {
                (DenyReason::CardGone, Some(HostEventKind::CardPulled), told)
            }
            CardError::PinTaken => (DenyReason::CardFailed, Some(HostEventKind::PinTaken), told),
            CardError::BadSignature => (DenyReason::CardFailed, Some(HostEventKind::BadSignature), told),
            CardError::Twice(_) => (DenyReason::CardFailed, Some(HostEventKind::CardTwice), told),
            CardError::TouchTimeout => (DenyReason::TouchTimeout, None, told),
            CardError::Cancelled => (DenyReason::Cancelled, None, told),
            CardError::Busy | CardError::Occupied { .. } | CardError::InUse(_) => {
                (DenyReason::Busy, None, told)
            }
            _ => (DenyReason::CardFailed, None, told),
        };
        refuse(reason, message, event, Some(choice))
    }

    pub(super) fn server(error: LinkError, choice: Option<Choice>) -> Step {
        let (reason, event) = match &error {
            LinkError::Unreachable(_)
            | LinkError::Full(_)
            | LinkError::Mute(_)
            | LinkError::Refused { .. } => (DenyReason::ServerUnavailable, Some(HostEventKind::NoAnswer)),
            LinkError::Unproven(_) | LinkError::Untrusted(_) => {
                (DenyReason::ServerUnavailable, Some(HostEventKind::BadAnswer))
            }
            LinkError::NotEnrolled => (DenyReason::NotEnrolled, None),
            LinkError::Internal(_) => (DenyReason::Internal, None),
        };
        refuse(reason, Trouble::from(error).message, event, choice)
    }

    pub(super) fn granted_here_by_code(granted: offline::Granted, account: AccountName) -> Step {
        by_code(Verdict::GrantedHere(granted), account)
    }

    pub(super) fn granted_here(granted: offline::Granted, choice: Choice) -> Step {
        end(Verdict::GrantedHere(granted), Some(choice))
    }

    /// A wrong code is somebody's doing, and to be seen; anything else is the network's.
    pub(super) fn not_here_by_code(not_here: &NotHere, account: AccountName) -> Step {
        let event = match not_here.denial {
            offline::Denial::WrongCode | offline::Denial::CodeSpent => HostEventKind::WrongEmergencyCode,
            _ => HostEventKind::NoAnswer,
        };
        let (reason, message) = (DenyReason::ServerUnavailable, not_here.in_words());
        by_code(Verdict::Refused(Refused { reason, message, event: Some(event) }), account)
    }

    pub(super) fn not_here(not_here: &NotHere, choice: Choice) -> Step {
        let event = match not_here.error {
            LinkError::Unproven(_) => HostEventKind::BadAnswer,
            _ => HostEventKind::NoAnswer,
        };
        let reason = match not_here.error {
            LinkError::Mute(_) => DenyReason::Internal,
            _ => DenyReason::ServerUnavailable,
        };
        refuse(reason, not_here.in_words(), Some(event), Some(choice))
    }

    /// A bug of the driver: denied, and visible.
    pub(super) fn unexpected(state: &str, event: &Event, choice: Option<Choice>) -> Step {
        let what = match event {
            Event::Cards(_) => "cards",
            Event::Typed(_) => "typed text",
            Event::Code(_) | Event::NotACode => "an emergency code",
            Event::Tries(_) => "tries",
            Event::Pin(_) | Event::NotAPin(_) => "a PIN",
            Event::Signed(_) => "a signature",
            Event::Card(_) => "a card's failure",
            Event::Answered(_) => "an answer",
            Event::Server(_) => "a server's failure",
            Event::Silence(_) => "a server's silence",
            Event::DecidedHere(_) => "a decision of this host",
            Event::Gone(_) => "an end",
        };
        let message = format!("The agent met {what} in state {state}. Try again, and report it.");
        refuse(DenyReason::Internal, message, None, choice)
    }
}

fn refuse(reason: DenyReason, message: String, event: Option<HostEventKind>, choice: Option<Choice>) -> Step {
    end(Verdict::Refused(Refused { reason, message, event }), choice)
}

fn end(verdict: Verdict, choice: Option<Choice>) -> Step {
    (Session::Decided(Decided { verdict, choice, code_of: None }), Vec::new())
}

fn by_code(verdict: Verdict, account: AccountName) -> Step {
    (Session::Decided(Decided { verdict, choice: None, code_of: Some(Box::new(account)) }), Vec::new())
}
