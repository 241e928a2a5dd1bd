//! `countersign collection appoint`.

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::Appointment;

use super::shown::Named;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

/// Let an account grant on your collection.
#[derive(Debug, Args)]
pub(crate) struct Appoint {
    #[command(flatten)]
    named: Named,

    /// Whom: an account with the role resource-administrator.
    account: AccountName,
}

impl Appoint {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        self.named.ask_with(global, "appoint", &Appointment { account: self.account.clone() })
    }
}
