//! `countersign recover withdraw`: no, that was not me.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::CorrelationId;
use countersign_protocol::message::result::{RecoveryList, RecoveryShown};
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::{Job, Recorded};
use crate::output::Report;

/// End a recovery of your account with its own card; as an administrator, of any account.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// The recovery, as a message or your login named it.
    id: CorrelationId,

    #[command(flatten)]
    card: CardChoice,
}

impl Withdraw {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let done =
            Job::new("withdraw", "recovery", self.id.as_str(), &self.card)?.run::<RecoveryList>(global)?;
        Report::of(&Shown { ended: done.result.recoveries, recorded: done.recorded })
    }
}

#[derive(Serialize)]
struct Shown {
    ended: Vec<RecoveryShown>,
    #[serde(flatten)]
    recorded: Recorded,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ended in &self.ended {
            writeln!(f, "The recovery {} of {} is ended; nothing changed.", ended.id, ended.account)?;
            writeln!(f, "  begun       {} at {} (claimed, not proven)", ended.begun, ended.claimed_hostname)?;
        }
        writeln!(f, "  recorded    entry {} of the ledger", self.recorded.ledger_index)?;
        writeln!(
            f,
            "Somebody had the paper with the recovery code. With your card, for another: countersign recover new-code ACCOUNT"
        )
    }
}
