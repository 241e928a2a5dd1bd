//! `countersign admin user add`: an account, and the code with which its card is registered.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::{AccountName, LoginName, Role};
use countersign_protocol::message::result::{AccountCreated, NewAccount};
use serde::Serialize;

use crate::args::{CardChoice, Global, role};
use crate::failure::Failure;
use crate::job::{Job, Recorded};
use crate::output::Report;

/// Make an account, and a one-time code with which its owner registers a card.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The account's name.
    name: AccountName,

    /// A login name that the account may open; may be given more than once. Without any, the account's own
    /// name.
    #[arg(long = "login", value_name = "LOGIN")]
    logins: Vec<LoginName>,

    /// What the account may do beside logging in; may be given more than once.
    #[arg(long = "role", value_name = "ROLE", value_parser = role(), default_value = "user")]
    roles: Vec<Role>,

    #[command(flatten)]
    card: CardChoice,
}

impl Add {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let logins = if self.logins.is_empty() { vec![self.own_login()?] } else { self.logins.clone() };
        let roles = self.roles.clone();
        let done = Job::new("create", "account", self.name.as_str(), &self.card)?
            .with(&NewAccount { logins, roles })?
            .run(global)?;
        Report::of(&Shown { created: done.result, recorded: done.recorded })
    }

    fn own_login(&self) -> Result<LoginName, Failure> {
        self.name.as_str().parse().map_err(|error| Failure::usage(format!("{} is {error}", self.name)))
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    created: AccountCreated,
    #[serde(flatten)]
    recorded: Recorded,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, recorded } = self;
        writeln!(f, "Account {} is made.", created.account)?;
        writeln!(f, "  code        {}", created.code)?;
        writeln!(f, "  valid until {}, once", created.expires)?;
        writeln!(f, "  recorded    entry {} of the ledger", recorded.ledger_index)?;
        writeln!(
            f,
            "Next: hand over the code, by another way than the host it is typed on. Its owner runs\n  \
             countersign register {}",
            created.account
        )
    }
}
