//! Looking after a card: `countersign card …`.
//!
//! | file | command |
//! |---|---|
//! | `show` | `card show`: everything about it, and what its owner should know |
//! | `init`, `generate`, `making` | `card init`, `card generate`: keys |
//! | `change_pin`, `unblock` | `card change-pin`, `card unblock` |
//! | `for_login` | `passwd`: another PIN for the card of a login |
//! | `set_touch` | `card set-touch` |
//! | `check` | `card adopt`: does this certificate fit? |
//! | `factory_reset` | `card factory-reset` |
//!
//! Every question is asked here and answered at the caller's terminal. Nobody types while a transaction with the
//! card is open: what is read for a question is read again, by the command itself, before a PIN goes out.

mod change_pin;
mod check;
mod factory_reset;
mod for_login;
mod generate;
mod init;
mod making;
mod set_touch;
mod show;
mod unblock;

use countersign_protocol::ids::{AccountName, CardIdent};
use countersign_protocol::ipc::{CardChange, CardChanged, ProblemKind, Reply, Request};
use serde::Serialize;

use crate::agent::Agent;
use crate::card::{AdminError, Asker, CardError, CardSeen, Details, PinReport, Standing, Turn, Waiting};
use crate::card_choice;
use crate::person::Person;
use crate::status;
use crate::trouble::{self, Trouble, sentence};

pub use for_login::{NewPin, find_for_login, new_pin};
pub use show::show;

/// Answers one request about a card. The seat rule was applied.
///
/// # Errors
/// [`Trouble`], which says how the card is now.
pub fn answer(agent: &Agent, asker: Asker, request: &Request, person: &mut Person) -> Result<Reply, Trouble> {
    let desk = Desk { agent, asker };
    match request {
        Request::CardInit(ask) => init::init(&desk, ask, person).map(Reply::CardMade),
        Request::CardGenerate(ask) => generate::generate(&desk, ask, person).map(Reply::CardMade),
        Request::CardChangePin(ask) => change_pin::change_pin(&desk, ask, person).map(Reply::CardChanged),
        Request::CardUnblock(ask) => unblock::unblock(&desk, ask, person).map(Reply::CardChanged),
        Request::CardSetTouch(ask) => set_touch::set_touch(&desk, ask, person).map(Reply::CardChanged),
        Request::CardCheck(ask) => check::check(&desk, ask, person).map(Reply::CardChecked),
        Request::CardFactoryReset(ask) => {
            factory_reset::factory_reset(&desk, ask, person).map(Reply::CardChanged)
        }
        _ => Err(Trouble::new(ProblemKind::Internal, "The agent does not know this command.")),
    }
}

/// Where one caller's commands about cards are served.
struct Desk<'a> {
    agent: &'a Agent,
    asker: Asker,
}

impl Desk<'_> {
    fn choose(&self, named: Option<CardIdent>, person: &mut Person) -> Result<Chosen<'_>, Trouble> {
        self.chosen(&card_choice::choose(self.agent, named, "Insert the card.", person)?)
    }

    fn chosen(&self, seen: &CardSeen) -> Result<Chosen<'_>, Trouble> {
        let card = seen.ident.ok_or(CardError::NoCard)?;
        let accounts = status::accounts(self.agent, seen);
        Ok(Chosen { desk: self, card, name: seen.name(), accounts, touch: seen.touch })
    }
}

/// The card a command is about.
struct Chosen<'a> {
    desk: &'a Desk<'a>,
    card: CardIdent,
    /// `YubiKey …5678`.
    name: String,
    /// Accounts known here whose key it holds.
    accounts: Vec<AccountName>,
    touch: bool,
}

impl Chosen<'_> {
    const fn agent(&self) -> &Agent {
        self.desk.agent
    }

    /// Waits for a turn with the card. Whoever has one cannot ask the person anything.
    fn turn<'w>(&self, person: &'w mut Person) -> Result<Turn<'w>, Trouble> {
        let turn = self.agent().cards.turn(self.card, &self.desk.asker, person);
        turn.map_err(|error| self.card_failed(&error))
    }

    fn details(&self, person: &mut Person) -> Result<Details, Trouble> {
        self.turn(person)?.cards().details(self.card).map_err(|error| self.card_failed(&error))
    }

    fn pins(&self, person: &mut Person) -> Result<PinReport, Trouble> {
        self.turn(person)?.cards().pins(self.card).map_err(|error| self.card_failed(&error))
    }

    /// `YubiKey …5678 (0006:12345678)`.
    fn full(&self) -> String {
        format!("{} ({})", self.name, self.card)
    }

    /// The last word after a change, which journal and log keep, too.
    fn changed(&self, change: CardChange, what: &'static str, message: String) -> CardChanged {
        self.journal(what);
        CardChanged { card: self.card, change, message }
    }

    fn journal(&self, what: &'static str) {
        self.agent().note(&Journalled { event: "card", card: self.card, what });
        self.agent().log.notice("card-changed", &[("card", &self.card.to_string()), ("what", what)]);
    }

    fn card_failed(&self, error: &CardError) -> Trouble {
        self.failed(error, &error.to_string())
    }

    fn admin_failed(&self, error: &AdminError) -> Trouble {
        self.failed(&error.cause, &error.to_string())
    }

    /// A failure, in the ledger too if it is one that is told there wherever it happens.
    fn failed(&self, cause: &CardError, told: &str) -> Trouble {
        let message = sentence(told);
        let Some(event) = trouble::event(cause) else {
            return Trouble { message, ..cause.clone().into() };
        };
        let account = if let [one] = self.accounts.as_slice() { Some(one.clone()) } else { None };
        self.agent().report_card_of(event, self.card, account, &message);
        Trouble::new(ProblemKind::Card, message).denied_for(trouble::reason(cause))
    }
}

/// What the journal keeps of a change.
#[derive(Serialize)]
struct Journalled {
    event: &'static str,
    card: CardIdent,
    what: &'static str,
}

/// Asks for the number of the card, as a word that nobody types by habit.
fn confirm_by_number(person: &mut Person, chosen: &Chosen<'_>, what: &str) -> Result<(), Trouble> {
    let typed = person.ask_shown(&format!("Type the card's number, {}, to {what}: ", chosen.card))?;
    if typed.trim().parse() == Ok(chosen.card) {
        return Ok(());
    }
    Err(Trouble::new(ProblemKind::Cancelled, "That is not its number. The card is as it was."))
}

/// A long change that goes on.
fn progress(waiting: &mut dyn Waiting, step: Standing) {
    let text = match step {
        Standing::Blocking => "Blocking the card's PINs, so that it can be erased.",
        Standing::Erasing => "Erasing the card.",
        Standing::Terminated => "Making it ready for use.",
        _ => return,
    };
    waiting.note(text);
}
