//! `countersign emergency-code`: what to write down for the day on which the card is not at hand.

use std::fmt;

use clap::Args;
use countersign_protocol::emergency::EmergencyCode;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::EmergencyCodeMade;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::{Job, Recorded};
use crate::output::Report;

/// Make a new emergency code for your account, with your card; any earlier one is worth nothing any more.
///
/// The code opens one login at the console of one host, without a card. Write it on paper; it is shown once.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// Your account.
    account: AccountName,

    #[command(flatten)]
    card: CardChoice,
}

impl New {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let job = Job::new("renew-emergency-code", "account", self.account.as_str(), &self.card)?;
        let done = job.run::<EmergencyCodeMade>(global)?;
        Report::of(&Shown { made: done.result, recorded: done.recorded })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    made: EmergencyCodeMade,
    #[serde(flatten)]
    recorded: Recorded,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Account {} has a new emergency code; any earlier one is worth nothing.",
            self.made.account
        )?;
        writeln!(f, "  recorded    entry {} of the ledger", self.recorded.ledger_index)?;
        write!(f, "{}", Paper(&self.made.code))
    }
}

/// The code as it is to be written down.
pub(crate) struct Paper<'a>(pub(crate) &'a EmergencyCode);

impl fmt::Display for Paper<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.0.spelled();
        let code = code.expose_secret();
        writeln!(f, "\n  +----------------------------------------------------------+")?;
        writeln!(f, "  |  Emergency code:  {code:<37}  |")?;
        writeln!(f, "  |                                                          |")?;
        writeln!(f, "  |  Write it on paper now and keep it where your card is    |")?;
        writeln!(f, "  |  not. It is shown this once. It opens one login at the   |")?;
        writeln!(f, "  |  console of one host, without the card; after that it    |")?;
        writeln!(f, "  |  is worth nothing. Whoever has it can log in as you.     |")?;
        writeln!(f, "  +----------------------------------------------------------+")
    }
}
