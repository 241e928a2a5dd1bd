//! `countersign contact add`: a code goes to the new address.

use clap::Args;
use countersign_protocol::contact::Address;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::{ContactList, NewContact};

use super::{Shown, address};
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Add an address. A code is sent there; with it, `contact confirm` makes the address yours.
///
/// To change an address, add the new one, confirm it, and remove the old one.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Your account.
    account: AccountName,

    /// A mail address, or a telephone number with its country (+49 …).
    #[arg(value_parser = address)]
    address: Address,

    #[command(flatten)]
    card: CardChoice,
}

impl Add {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let job = Job::new("add-contact", "account", self.account.as_str(), &self.card)?
            .with(&NewContact { address: self.address.clone() })?;
        let done = job.run::<ContactList>(global)?;
        let said = format!(
            "A message to {} will bring a code. Then: countersign contact confirm {} CODE",
            self.address, self.account
        );
        Report::of(&Shown { done: said, list: done.result, recorded: done.recorded })
    }
}
