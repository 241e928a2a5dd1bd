//! `countersign admin user retire`: the end of an account.

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::AccountChanged;

use super::change::{self, Words};
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;
use crate::terminal;

/// End an account for good: of somebody who left. Its name is never anybody else's.
#[derive(Debug, Args)]
pub(crate) struct Retire {
    /// The account.
    name: AccountName,

    #[command(flatten)]
    card: CardChoice,
}

impl Retire {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        terminal::tell(&format!(
            "Account {} will end for good, with its keys, codes and logins. To bar it for a while instead: countersign \
             admin user suspend {0}",
            self.name
        ));
        let done = Job::new("retire", "account", self.name.as_str(), &self.card)?.run(global)?;
        change::report(done, told)
    }
}

fn told(account: &AccountChanged) -> Words {
    let when = if account.changed { "is retired" } else { "was retired before" };
    Words { said: format!("Account {} {when}.", account.account), more: None, next: None }
}
