//! `countersign recover new-code`: another recovery code.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::RecoveryCodeMade;
use serde::Serialize;

use super::Paper;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::{Job, Recorded};
use crate::output::Report;

/// Make a new recovery code for your account, with your card; any earlier one is worth nothing any more.
#[derive(Debug, Args)]
pub(crate) struct NewCode {
    /// Your account.
    account: AccountName,

    #[command(flatten)]
    card: CardChoice,
}

impl NewCode {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let job = Job::new("renew-recovery-code", "account", self.account.as_str(), &self.card)?;
        let done = job.run::<RecoveryCodeMade>(global)?;
        Report::of(&Shown { made: done.result, recorded: done.recorded })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    made: RecoveryCodeMade,
    #[serde(flatten)]
    recorded: Recorded,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Account {} has a new recovery code; any earlier one is worth nothing.",
            self.made.account
        )?;
        writeln!(f, "  recorded    entry {} of the ledger", self.recorded.ledger_index)?;
        write!(f, "{}", Paper(&self.made.code))
    }
}
