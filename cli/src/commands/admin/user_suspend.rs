//! `countersign admin user suspend`: bar an account until it is resumed.

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::AccountChanged;

use super::change::{self, Words};
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
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
        change::report(done, told)
    }
}

fn told(account: &AccountChanged) -> Words {
    let when = if account.changed { "is suspended" } else { "was suspended before" };
    let next = format!("To lift it: countersign admin user resume {}", account.account);
    Words { said: format!("Account {} {when}.", account.account), more: None, next: Some(next) }
}
