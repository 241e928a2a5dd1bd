//! `countersign admin user resume`: lift the bar on an account.

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::AccountChanged;

use super::change::{self, Words};
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Let a suspended account work again, with everything it had.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// The account.
    name: AccountName,

    #[command(flatten)]
    card: CardChoice,
}

impl Resume {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let done = Job::new("resume", "account", self.name.as_str(), &self.card)?.run(global)?;
        change::report(done, told)
    }
}

fn told(account: &AccountChanged) -> Words {
    let AccountChanged { account, state, changed } = account;
    let said = if *changed {
        format!("Account {account} is {state} again.")
    } else {
        format!("Account {account} was not suspended; it is {state}.")
    };
    let code = || {
        format!(
            "It has no key. Next: a code for a card, with the logins and roles it has\n  \
             countersign admin user add {account} …"
        )
    };
    Words { said, more: None, next: (state == "pending").then(code) }
}
