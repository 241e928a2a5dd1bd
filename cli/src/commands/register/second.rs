//! A second card: the first one vouches for it.

use std::io::{self, IsTerminal as _};

use countersign_protocol::ids::CardIdent;
use countersign_protocol::ipc::{CardReport, Conversation as _, OneTimeCode, Reply, Request};
use countersign_protocol::message::result::AccountCreated;

use super::{Register, ShownSecond};
use crate::agent;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;
use crate::terminal::{Terminal, tell};

/// Asks for the second card this often: whoever has none at hand says so by Ctrl-C, or by Enter again and again.
const PATIENCE: usize = 5;

/// Whether there is a person at a terminal to ask. Nobody is asked where a program reads the answer.
pub(super) fn can_be_offered(global: &Global) -> bool {
    !global.json && !global.answers_from_stdin && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Whether the person wants one, now that the first is registered.
pub(super) fn is_wanted() -> bool {
    let question = "Register a second card now, to keep somewhere else? [y/N] ";
    let typed = Terminal::new(false).shown(question);
    typed.is_some_and(|typed| matches!(typed.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// The account's card signs for a code, and the other card is registered with it.
pub(super) fn register(
    wanted: &Register,
    global: &Global,
    first: Option<CardIdent>,
) -> Result<Report, Failure> {
    let account = &wanted.account;
    let first = match first {
        Some(first) => Some(first),
        None => cards(global)?
            .into_iter()
            .find(|card| card.ident != wanted.card.card && card.accounts.contains(account))
            .and_then(|card| card.ident),
    };
    tell(&format!("The card that {account} has vouches for the second one."));
    let vouching = CardChoice { card: first };
    let done = Job::new("add-key", "account", account.as_str(), &vouching)?.run::<AccountCreated>(global)?;
    let code = OneTimeCode::new(done.result.code.into());
    let card = match wanted.card.card {
        Some(card) => card,
        None => other_card(global, first, account.as_str())?,
    };
    let registered = wanted.ask(global, &CardChoice { card: Some(card) }, Some(code))?;
    Report::of(&ShownSecond { registered, first })
}

/// The card that is in and is not the first one, nor this host's, nor anybody's.
fn other_card(global: &Global, first: Option<CardIdent>, account: &str) -> Result<CardIdent, Failure> {
    let mut terminal = Terminal::new(global.answers_from_stdin);
    for _ in 0..PATIENCE {
        let mut others = cards(global)?;
        others.retain(|card| card.role == "user" && card.accounts.is_empty() && card.ident != first);
        // Cards of people who are no login's here have keys; a new one has none.
        if others.len() > 1 {
            others.retain(|card| card.signing_key.is_none());
        }
        let others: Vec<CardIdent> = others.iter().filter_map(|card| card.ident).collect();
        match others.as_slice() {
            [one] => return Ok(*one),
            [] => {}
            _ => {
                return Err(Failure::usage("there are several cards that could be the second one")
                    .then(format!("Name it: countersign register {account} --second --card NUMBER")));
            }
        }
        let question = "Insert the second card (the first one may be taken out), then press Enter: ";
        if terminal.shown(question).is_none() {
            return Err(terminal.take_failure().unwrap_or_else(|| given_up(account)));
        }
    }
    Err(given_up(account))
}

fn given_up(account: &str) -> Failure {
    Failure::usage("no second card was put in; the first one is registered and works")
        .then(format!("When you have one: countersign register {account} --second"))
}

fn cards(global: &Global) -> Result<Vec<CardReport>, Failure> {
    match agent::ask(global, &Request::CardList)?.reply {
        Reply::Cards { cards } => Ok(cards),
        other => Err(agent::unexpected(&other)),
    }
}
