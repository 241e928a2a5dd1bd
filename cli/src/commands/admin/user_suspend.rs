//! `countersign admin user suspend`: bar an account until it is resumed.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::AccountChanged;
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::{Job, Recorded};
use crate::output::Report;
use crate::terminal;

/// Bar an account from everything until it is resumed. Its card, logins and roles stay as they are.
#[derive(Debug, Args)]
pub(crate) struct Suspend {
    /// The account.
    name: AccountName,

    #[command(flatten)]
    card: CardChoice,
}

impl Suspend {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        terminal::tell(&format!(
            "Account {} will be barred from every login and request, on all hosts, until it is resumed.",
            self.name
        ));
        let done = Job::new("suspend", "account", self.name.as_str(), &self.card)?.run(global)?;
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
            writeln!(f, "Account {} is suspended.", changed.account)?;
        } else {
            writeln!(f, "Account {} was suspended before.", changed.account)?;
        }
        writeln!(f, "  recorded    entry {} of the ledger", recorded.ledger_index)?;
        writeln!(f, "To lift it: countersign admin user resume {}", changed.account)
    }
}
