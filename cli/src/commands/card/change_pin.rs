//! `countersign card change-pin`: another PIN.

use clap::Args;
use countersign_protocol::ipc::{CardChangePin, CardPin, Request};

use super::change;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::output::Report;

/// Change a card's PIN, its admin PIN, or its resetting code.
///
/// The one that holds now is asked first, with the tries that are left; the new one twice. A resetting code, which
/// the admin PIN sets, lets whoever has it set a new PIN (card unblock), and nothing else.
#[derive(Debug, Args)]
pub(crate) struct ChangePin {
    #[command(flatten)]
    card: CardChoice,

    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct Which {
    /// Change the admin PIN.
    #[arg(long)]
    admin: bool,

    /// Set a resetting code, with the admin PIN.
    #[arg(long)]
    reset_code: bool,

    /// Have no resetting code any more, with the admin PIN.
    #[arg(long)]
    no_reset_code: bool,
}

impl ChangePin {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let pin = match &self.which {
            Which { admin: true, .. } => CardPin::Admin,
            Which { reset_code: true, .. } => CardPin::ResetCode,
            Which { no_reset_code: true, .. } => CardPin::NoResetCode,
            _ => CardPin::User,
        };
        change(global, &Request::CardChangePin(CardChangePin { card: self.card.card, pin }))
    }
}
