//! `countersign card list`: the cards in this host's readers.

use std::fmt;

use countersign_protocol::ipc::{CardReport, Reply, Request};
use serde::Serialize;

use crate::agent;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

pub(crate) fn run(global: &Global) -> Result<Report, Failure> {
    match agent::ask(global, &Request::CardList)?.reply {
        Reply::Cards { cards } => Report::of(&Cards { cards }),
        other => Err(agent::unexpected(&other)),
    }
}

#[derive(Serialize)]
struct Cards {
    cards: Vec<CardReport>,
}

impl fmt::Display for Cards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_cards(f, &self.cards)
    }
}

/// The cards as a person reads them, one or a few lines each.
pub(crate) fn write_cards(f: &mut fmt::Formatter<'_>, cards: &[CardReport]) -> fmt::Result {
    if cards.is_empty() {
        return writeln!(
            f,
            "No card. Put one in; if it stays unseen, does `systemctl status pcscd` know the reader?"
        );
    }
    for card in cards {
        match &card.ident {
            Some(ident) => writeln!(f, "Card {ident} in {}", card.reader)?,
            None => writeln!(f, "Card without a number in {}", card.reader)?,
        }
        write_details(f, card)?;
    }
    Ok(())
}

fn write_details(f: &mut fmt::Formatter<'_>, card: &CardReport) -> fmt::Result {
    if card.role == "host" {
        writeln!(f, "  this host's own card")?;
    }
    match card.tries {
        Some(0) => writeln!(f, "  PIN         blocked")?,
        Some(1) => writeln!(f, "  PIN         1 try left")?,
        Some(tries) => writeln!(f, "  PIN         {tries} tries left")?,
        None => {}
    }
    if let Some(key) = &card.signing_key {
        writeln!(f, "  signing key {}", key.spaced())?;
    } else if card.ident.is_some() {
        writeln!(f, "  signing key none")?;
    }
    if !card.accounts.is_empty() {
        let names: Vec<&str> = card.accounts.iter().map(|account| account.as_str()).collect();
        writeln!(f, "  accounts    {}", names.join(", "))?;
    }
    match &card.problem {
        Some(problem) => writeln!(f, "  problem     {problem}"),
        None => Ok(()),
    }
}
