//! One request that a card signs, as a pure state machine: card, PIN, touch, server, decision.
//!
//! [`Session::step`] takes the state and what happened, and gives the next state and what to do about it. It
//! asks no card, no clock and no socket; `drive.rs` does. States are moved: one that is left cannot be entered
//! again by mistake.
//!
//! ```text
//! AwaitCard ─▶ AwaitPin ─▶ AwaitTouch ─▶ AwaitServer ─▶ Decided
//!     └─▶ AwaitCode (an emergency code was typed: whose, the server, the host) ─▲
//!     │            │            │             └─▶ AwaitHost ─▲   (the server says nothing)
//!     └────────────┴────────────┴─────────────┴──────┴───────▲   (whatever goes wrong)
//! ```

mod await_card;
mod await_code;
mod await_host;
mod await_pin;
mod await_server;
mod await_touch;
mod decided;

pub use await_card::AwaitCard;
pub use await_code::AwaitCode;
pub use await_host::AwaitHost;
pub use await_pin::AwaitPin;
pub use await_server::AwaitServer;
pub use await_touch::AwaitTouch;
pub use decided::{Decided, Refused, Verdict};

use std::time::Duration;

use countersign_protocol::emergency::EmergencyCode;
use countersign_protocol::ids::{AccountName, CardIdent};
use countersign_protocol::ipc::NoteKind;
use countersign_protocol::statement::SignedStatement;

use crate::answer::{Answer, Silence};
use crate::card::{CardError, Pin, PinError};
use crate::offline;
use crate::person::Gone;
use crate::trouble::sentence;
use crate::wire::LinkError;

/// A card in a reader that could sign this request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Which.
    pub card: CardIdent,
    /// For prompts: `YubiKey …1234`.
    pub name: String,
    /// Whose.
    pub account: AccountName,
    /// It wants a touch.
    pub touch: bool,
}

/// Where a request stands.
#[derive(Debug)]
#[must_use]
pub enum Session {
    /// No card is chosen.
    AwaitCard(AwaitCard),
    /// An emergency code was typed.
    AwaitCode(AwaitCode),
    /// A card is chosen, its PIN is not typed.
    AwaitPin(AwaitPin),
    /// The PIN is there; the card makes a signature when it is this request's turn, once it is touched.
    AwaitTouch(AwaitTouch),
    /// The server has the statement.
    AwaitServer(AwaitServer),
    /// The server says nothing; this host decides by its roster.
    AwaitHost(AwaitHost),
    /// Over.
    Decided(Decided),
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// These cards could sign it, now that somebody waited for one.
    Cards(Vec<Choice>),
    /// What was typed at a shown prompt.
    Typed(String),
    /// So many tries the chosen card has left.
    Tries(u8),
    /// What was typed could be an emergency code.
    Code(EmergencyCode),
    /// What was typed is no emergency code.
    NotACode,
    /// A PIN was typed.
    Pin(Pin),
    /// What was typed is no PIN.
    NotAPin(PinError),
    /// The card signed.
    Signed(SignedStatement),
    /// The card, or the reader, failed.
    Card(CardError),
    /// The server decided.
    Answered(Answer),
    /// The server did not decide.
    Server(LinkError),
    /// The server said nothing about a login.
    Silence(Box<Silence>),
    /// This host decided.
    DecidedHere(Result<offline::Granted, NotHere>),
    /// The person gave up, or the deadline passed.
    Gone(Gone),
}

/// What to do. The last one of a step, if it is a question of any kind, brings the next event.
#[derive(Debug)]
pub enum Action {
    /// Show this.
    Note(NoteKind, String),
    /// Ask with echo.
    AskShown(String),
    /// Ask without echo.
    AskHidden(String),
    /// Ask without echo for an emergency code. With no answer but Enter, look which cards are in.
    AskCode(String),
    /// Wait so long at most until a card that could sign it is in a reader.
    WaitForCard(Duration),
    /// Ask the card how many tries are left.
    ReadTries(CardIdent),
    /// Take a turn with the card, say that it wants a touch if it does, and have it sign: one VERIFY with this
    /// PIN, one signature.
    Sign(Order),
    /// Carry the signed statement to the server.
    Send(SignedStatement),
    /// Carry an emergency code of this account to the server.
    SendCode(AccountName, EmergencyCode),
    /// Decide without the server, by the roster; with this card, or by the code that was sent.
    DecideHere(Box<Silence>, Option<CardIdent>),
}

/// Neither the server nor this host lets somebody in.
#[derive(Debug)]
pub struct NotHere {
    /// What the server said instead of an answer.
    pub error: LinkError,
    /// Why this host does not decide.
    pub denial: offline::Denial,
}

impl NotHere {
    /// For the person.
    #[must_use]
    pub fn in_words(&self) -> String {
        let begin = match &self.error {
            LinkError::Unproven(_) => "The answer is not one of your server's",
            // Not the network: what is wrong is here, and says itself what to do.
            LinkError::Mute(why) => {
                return format!(
                    "This host cannot speak to the server. {} Meanwhile, {}.",
                    sentence(why),
                    self.denial
                );
            }
            _ => "The server cannot be reached",
        };
        format!("{begin}, and {}.", self.denial)
    }
}

/// One signature.
#[derive(Debug, Clone)]
pub struct Order {
    /// By which card.
    pub choice: Choice,
    /// Typed for this request.
    pub pin: Pin,
    /// What the prompt said.
    pub tries_shown: u8,
    /// The person typed that the last try may be spent.
    pub allow_last_try: bool,
}

/// The next state, and what to do.
pub type Step = (Session, Vec<Action>);

impl Session {
    /// A request that one of `cards` could sign; `whose` names the people whose cards would do.
    pub fn begin(whose: &[AccountName], cards: Vec<Choice>) -> Step {
        Self::begin_with_codes(whose, Vec::new(), cards)
    }

    /// The same where an emergency code of one of `codes` would do, too.
    pub fn begin_with_codes(whose: &[AccountName], codes: Vec<AccountName>, cards: Vec<Choice>) -> Step {
        AwaitCard::new(whose, codes).offered(cards)
    }

    /// What happens next. An event that the state did not wait for denies.
    pub fn step(self, event: Event) -> Step {
        // Whatever the state: nobody is there any more.
        if let Event::Gone(gone) = event {
            return Decided::gone(gone, self.choice());
        }
        match self {
            Self::AwaitCard(state) => state.step(event),
            Self::AwaitCode(state) => state.step(event),
            Self::AwaitPin(state) => state.step(event),
            Self::AwaitTouch(state) => state.step(event),
            Self::AwaitServer(state) => state.step(event),
            Self::AwaitHost(state) => state.step(event),
            // Decided is decided.
            Self::Decided(state) => (Self::Decided(state), Vec::new()),
        }
    }

    fn choice(&self) -> Option<Choice> {
        match self {
            Self::AwaitCard(_) | Self::AwaitCode(_) => None,
            Self::AwaitPin(state) => Some(state.choice().clone()),
            Self::AwaitTouch(state) => Some(state.choice().clone()),
            Self::AwaitServer(state) => Some(state.choice().clone()),
            Self::AwaitHost(state) => Some(state.choice().clone()),
            Self::Decided(state) => state.choice.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
