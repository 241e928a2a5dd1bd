//! `countersign contact confirm`: the code came, the address is yours.

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::{ContactCode, ContactList};

use super::Shown;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Confirm a new address with the code that came there. Your other addresses are told.
#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// Your account.
    account: AccountName,

    /// The code.
    code: String,

    #[command(flatten)]
    card: CardChoice,
}

impl Confirm {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let job = Job::new("confirm-contact", "account", self.account.as_str(), &self.card)?
            .with(&ContactCode { code: self.code.clone() })?;
        let done = job.run::<ContactList>(global)?;
        let said = format!("The address is confirmed. Account {} has:", self.account);
        Report::of(&Shown { done: said, list: done.result, recorded: done.recorded })
    }
}
