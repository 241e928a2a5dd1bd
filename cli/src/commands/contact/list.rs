//! `countersign contact list`.

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::ContactList;

use super::Shown;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Show your account's addresses.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Your account.
    account: AccountName,

    #[command(flatten)]
    card: CardChoice,
}

impl List {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let job = Job::new("read-contacts", "account", self.account.as_str(), &self.card)?;
        let done = job.run::<ContactList>(global)?;
        let said = match done.result.contacts.len() {
            0 => format!(
                "Account {} has no address. Add one: countersign contact add {0} ADDRESS",
                self.account
            ),
            _ => format!("Account {} has:", self.account),
        };
        Report::of(&Shown { done: said, list: done.result, recorded: done.recorded })
    }
}
