//! `countersign contact`: where you can be reached.

mod add;
mod confirm;
mod list;
mod remove;

use std::fmt;

use clap::{Args, Subcommand};
use countersign_protocol::contact::Address;
use countersign_protocol::message::result::ContactList;
use serde::Serialize;

use crate::args::Global;
use crate::failure::Failure;
use crate::job::Recorded;
use crate::output::Report;

/// Your account's addresses: where word comes of what concerns it, such as its recovery.
///
/// They are yours alone: no administrator sees or changes them. Every change needs your card, and every address that the
/// account has is told of it.
#[derive(Debug, Args)]
pub(crate) struct Contact {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(add::Add),
    Confirm(confirm::Confirm),
    List(list::List),
    Remove(remove::Remove),
}

impl Contact {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match &self.command {
            Command::Add(add) => add.run(global),
            Command::Confirm(confirm) => confirm.run(global),
            Command::List(list) => list.run(global),
            Command::Remove(remove) => remove.run(global),
        }
    }
}

/// For the command line: a mail address, or a telephone number as people write it.
fn address(text: &str) -> Result<Address, String> {
    Address::typed(text).map_err(|error| error.to_string())
}

/// What the account has now, under a sentence about what was done.
#[derive(Serialize)]
struct Shown {
    #[serde(skip)]
    done: String,
    #[serde(flatten)]
    list: ContactList,
    #[serde(flatten)]
    recorded: Recorded,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.done)?;
        for contact in &self.list.contacts {
            writeln!(
                f,
                "  {:<8} {} (since {})",
                contact.address.channel().as_str(),
                contact.address,
                contact.since
            )?;
        }
        if let Some(until) = self.list.waiting_until {
            writeln!(f, "  One waits for its code until {until}: countersign contact confirm ACCOUNT CODE")?;
        }
        writeln!(f, "  recorded entry {} of the ledger", self.recorded.ledger_index)
    }
}
