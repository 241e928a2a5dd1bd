//! `countersign recover finish`: the new card's last word.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ipc::{self, Reply, Request};
use serde::Serialize;

use super::Paper;
use crate::agent;
use crate::args::{CardChoice, Global};
use crate::commands::emergency_code;
use crate::failure::Failure;
use crate::output::Report;

/// Complete a recovery with the new card, or see what it still waits for.
#[derive(Debug, Args)]
pub(crate) struct Finish {
    /// The recovery, as `countersign recover begin` named it.
    id: CorrelationId,

    #[command(flatten)]
    card: CardChoice,
}

impl Finish {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let request = Request::Recover(ipc::Recover { id: self.id.clone(), card: self.card.card });
        match agent::ask(global, &request)?.reply {
            Reply::Recovered(recovered) => Report::of(&Shown(recovered)),
            other => Err(agent::unexpected(&other)),
        }
    }
}

#[derive(Serialize)]
struct Shown(ipc::Recovered);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(recovered) = self;
        if let Some(waits) = &recovered.waits {
            writeln!(f, "The recovery of {} waits.", recovered.account)?;
            writeln!(f, "  signed for  by {} of {} administrators", waits.approvals, waits.needed)?;
            writeln!(f, "  not before  {}", waits.not_before)?;
            return writeln!(f, "  nor after   {}", waits.expires);
        }
        writeln!(
            f,
            "The new card is the only one of {} now. Those before it are worth nothing.",
            recovered.account
        )?;
        if let Some(index) = recovered.ledger_index {
            writeln!(f, "  recorded    entry {index} of the ledger")?;
        }
        if let Some(code) = &recovered.emergency_code {
            writeln!(f, "{}", emergency_code::Paper(code))?;
        }
        match &recovered.recovery_code {
            Some(code) => writeln!(f, "{}", Paper(code)),
            None => Ok(()),
        }
    }
}
