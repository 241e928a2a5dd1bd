//! `countersign admin user resume`: lift the bar on an account.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::AccountChanged;
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::{Job, Recorded};
use crate::output::Report;

/// Let a suspended account work again, with everything it had.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// The account.
    name: AccountName,

    #[command(flatten)]
    card: CardChoice,
}

impl Resume {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let done = Job::new("resume", "account", self.name.as_str(), &self.card)?.run(global)?;
        Report::of(&Shown { changed: done.result, recorded: done.recorded })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    changed: AccountChanged,
    #[serde(flatten)]
    recorded: Recorded,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changed, recorded } = self;
        if changed.changed {
            writeln!(f, "Account {} is {} again.", changed.account, changed.state)?;
        } else {
            writeln!(f, "Account {} was not suspended; it is {}.", changed.account, changed.state)?;
        }
        writeln!(f, "  recorded    entry {} of the ledger", recorded.ledger_index)?;
        if changed.state == "invited" {
            writeln!(
                f,
                "It has no key. Next: a code for a card, with the logins and roles it has\n  \
                 countersign admin user add {} …",
                changed.account
            )?;
        }
        Ok(())
    }
}
