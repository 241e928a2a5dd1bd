//! `countersign admin user erase`: what is kept of a person goes.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::AccountErased;
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::{Job, Recorded};
use crate::output::Report;
use crate::terminal;

/// Erase what is kept of a person whose account is retired: addresses, what they signed, their certificates.
///
/// The ledger's entries stay, and it still verifies; where a statement was erased, it says so.
#[derive(Debug, Args)]
pub(crate) struct Erase {
    /// The account.
    name: AccountName,

    #[command(flatten)]
    card: CardChoice,
}

impl Erase {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        terminal::tell(&format!(
            "What {} signed can be shown to nobody any more, and nothing of it comes back. Export the ledger first if \
             somebody may ask for it.",
            self.name
        ));
        let done = Job::new("erase", "account", self.name.as_str(), &self.card)?.run(global)?;
        Report::of(&Shown { erased: done.result, recorded: done.recorded })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    erased: AccountErased,
    #[serde(flatten)]
    recorded: Recorded,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AccountErased { account, statements } = &self.erased;
        writeln!(f, "What was kept of {account} is erased, {statements} statements among it.")?;
        writeln!(
            f,
            "Its entries stay in the ledger. Backups made before this hold it still: they are yours to delete."
        )
    }
}
