//! `countersign card unblock`: a new PIN for a card that was blocked.

use clap::Args;
use countersign_protocol::ipc::{CardUnblock, Request, UnblockWith};

use super::change;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::output::Report;

/// Set a new PIN on a card that was blocked, or whose PIN was forgotten.
///
/// It takes the card's admin PIN or its resetting code. Keys stay. A card whose admin PIN is blocked, too, can only
/// be erased (card factory-reset).
#[derive(Debug, Args)]
pub(crate) struct Unblock {
    #[command(flatten)]
    card: CardChoice,

    #[command(flatten)]
    with: With,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct With {
    /// With the resetting code.
    #[arg(long)]
    reset_code: bool,

    /// With the admin PIN.
    #[arg(long)]
    admin_pin: bool,
}

impl Unblock {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let with = match &self.with {
            With { reset_code: true, .. } => Some(UnblockWith::ResetCode),
            With { admin_pin: true, .. } => Some(UnblockWith::AdminPin),
            With { .. } => None,
        };
        change(global, &Request::CardUnblock(CardUnblock { card: self.card.card, with }))
    }
}
