//! `countersign card`: the cards in this host's readers, looked at and looked after.

mod adopt;
mod change_pin;
mod factory_reset;
mod generate;
mod init;
pub(crate) mod list;
mod made;
mod set_touch;
mod show;
mod unblock;

use std::fmt;

use clap::Subcommand;
use countersign_protocol::ipc::{CardChanged, Reply, Request};
use serde::Serialize;

use crate::agent;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Card {
    /// List the cards and what they are to this host.
    List,
    Show(show::Show),
    Init(init::Init),
    ChangePin(change_pin::ChangePin),
    Unblock(unblock::Unblock),
    SetTouch(set_touch::SetTouch),
    Generate(generate::Generate),
    Adopt(adopt::Adopt),
    FactoryReset(factory_reset::FactoryReset),
}

impl Card {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match self {
            Self::List => list::run(global),
            Self::Show(show) => show.run(global),
            Self::Init(init) => init.run(global),
            Self::ChangePin(change) => change.run(global),
            Self::Unblock(unblock) => unblock.run(global),
            Self::SetTouch(set) => set.run(global),
            Self::Generate(generate) => generate.run(global),
            Self::Adopt(adopt) => adopt.run(global),
            Self::FactoryReset(reset) => reset.run(global),
        }
    }
}

/// Has a card changed.
fn change(global: &Global, request: &Request) -> Result<Report, Failure> {
    match agent::ask(global, request)?.reply {
        Reply::CardChanged(changed) => Report::of(&Changed(changed)),
        other => Err(agent::unexpected(&other)),
    }
}

#[derive(Serialize)]
struct Changed(CardChanged);

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.0.message)
    }
}
