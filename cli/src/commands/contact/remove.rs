//! `countersign contact remove`.

use clap::Args;
use countersign_protocol::contact::Address;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::{ContactList, NamedContact};

use super::{Shown, address};
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Remove an address. It is told, and so are the others.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Your account.
    account: AccountName,

    /// The address, as `contact list` shows it.
    #[arg(value_parser = address)]
    address: Address,

    #[command(flatten)]
    card: CardChoice,
}

impl Remove {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let job = Job::new("remove-contact", "account", self.account.as_str(), &self.card)?
            .with(&NamedContact { address: self.address.clone() })?;
        let done = job.run::<ContactList>(global)?;
        let said = format!(
            "The address is removed. Account {} has {} left.",
            self.account,
            done.result.contacts.len()
        );
        Report::of(&Shown { done: said, list: done.result, recorded: done.recorded })
    }
}
