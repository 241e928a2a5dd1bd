//! `countersign admin user add`: an account, and the code with which its card is registered.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::{AccountName, LoginName, Role};
use countersign_protocol::message::result::{AccountCreated, NewAccount};
use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::args::{CardChoice, Global, role};
use crate::authenticator::Authenticator;
use crate::failure::Failure;
use crate::job::{Job, Recorded};
use crate::output::Report;
use crate::terminal;

/// Whose codes an authenticator program says that they are.
const ISSUER: &str = "Countersign";

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

    /// Have the owner need an authenticator program beside the code; its picture is shown here.
    #[arg(long)]
    totp: bool,

    #[command(flatten)]
    card: CardChoice,
}

impl Add {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let logins = if self.logins.is_empty() { vec![self.own_login()?] } else { self.logins.clone() };
        let roles = self.roles.clone();
        let done = Job::new("create", "account", self.name.as_str(), &self.card)?
            .with(&NewAccount { logins, roles, totp: self.totp })?
            .run::<AccountCreated>(global)?;
        if let Some(secret) = done.result.totp.as_ref().filter(|_| !global.json) {
            terminal::tell(&format!("Let {} read this with an authenticator program, now:", self.name));
            Authenticator(secret.address(ISSUER, self.name.as_str()).expose_secret()).tell();
        }
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
        if created.totp.is_some() {
            writeln!(f, "The code is asked for together with what the authenticator program shows.")?;
        }
        writeln!(
            f,
            "Next: hand over the code, by another way than the host it is typed on. Its owner runs\n  \
             countersign register {}",
            created.account
        )
    }
}
