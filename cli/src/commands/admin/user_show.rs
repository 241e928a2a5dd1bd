//! `countersign admin user show`: everything the server knows of an account.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::{AccountList, AccountShown, KeyShown};
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::{Failure, LocalKind};
use crate::job::Job;
use crate::output::Report;

/// Show an account: its state, logins, roles, groups, and its keys, revoked ones too.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The account.
    name: AccountName,

    #[command(flatten)]
    card: CardChoice,
}

impl Show {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        Report::of(&Shown { account: account(global, &self.card, &self.name)? })
    }
}

/// One account; one PIN.
pub(super) fn account(
    global: &Global,
    card: &CardChoice,
    name: &AccountName,
) -> Result<AccountShown, Failure> {
    let list: AccountList = Job::new("read", "account", name.as_str(), card)?.run(global)?.result;
    list.accounts.into_iter().find(|one| one.account == *name).ok_or_else(|| {
        Failure::local(
            LocalKind::AgentProtocol,
            format!("the server answered about another account than {name}"),
        )
    })
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    account: AccountShown,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account } = self;
        writeln!(f, "Account {}", account.account)?;
        writeln!(f, "  state       {}", account.state)?;
        let logins: Vec<&str> = account.logins.iter().map(|login| login.as_str()).collect();
        writeln!(f, "  logins      {}", logins.join(", "))?;
        let roles: Vec<&str> = account.roles.iter().map(|role| role.as_str()).collect();
        writeln!(f, "  roles       {}", roles.join(", "))?;
        if !account.groups.is_empty() {
            let groups: Vec<&str> = account.groups.iter().map(|group| group.as_str()).collect();
            writeln!(f, "  groups      {}", groups.join(", "))?;
        }
        match account.seen {
            Some(at) => writeln!(f, "  last seen   {at}, to the hour")?,
            None => writeln!(f, "  last seen   never")?,
        }
        match &account.key {
            Some(key) => write_key(f, "key", key)?,
            None => writeln!(f, "  key         none")?,
        }
        if let Some(second) = &account.second {
            write_key(f, "second", second)?;
        }
        account.revoked.iter().try_for_each(|key| write_key(f, "revoked", key))
    }
}

fn write_key(f: &mut fmt::Formatter<'_>, what: &str, key: &KeyShown) -> fmt::Result {
    writeln!(f, "  {what:11} {}", key.key.spaced())?;
    if let Some(card) = key.card {
        writeln!(f, "              on card {card}")?;
    }
    write!(f, "              registered {}", key.registered)?;
    match key.revoked {
        Some(at) => writeln!(f, ", revoked {at}"),
        None => writeln!(f),
    }
}
