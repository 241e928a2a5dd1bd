//! `countersign collection dismiss`.

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::Appointment;

use super::shown::Named;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

/// Take away from an account that it may grant on your collection. What it granted stays.
#[derive(Debug, Args)]
pub(crate) struct Dismiss {
    #[command(flatten)]
    named: Named,

    /// Whom.
    account: AccountName,
}

impl Dismiss {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        self.named.ask_with(global, "dismiss", &Appointment { account: self.account.clone() })
    }
}
