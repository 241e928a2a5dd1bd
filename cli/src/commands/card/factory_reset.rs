//! `countersign card factory-reset`: everything on a card erased.

use clap::Args;
use countersign_protocol::ipc::{CardFactoryReset, Request};

use super::change;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::output::Report;

/// Erase a card: keys, data and PINs, as it came from the factory.
///
/// It says what is lost and asks twice. It needs no PIN, and works on a card whose PINs are all blocked. A card that
/// was pulled in the middle is finished by the same command.
#[derive(Debug, Args)]
pub(crate) struct FactoryReset {
    #[command(flatten)]
    card: CardChoice,
}

impl FactoryReset {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        change(global, &Request::CardFactoryReset(CardFactoryReset { card: self.card.card }))
    }
}
