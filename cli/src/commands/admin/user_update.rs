//! `countersign admin user update`: other logins, roles or groups for an account.

use clap::Args;
use countersign_protocol::ids::{AccountName, GroupName, LoginName, Role};
use countersign_protocol::message::result::{AccountChanged, AccountUpdate};

use super::change::{self, Words};
use crate::args::{CardChoice, Global, role};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Give an account other logins, roles or groups. What is named takes the place of what it had; the rest stays.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The account.
    name: AccountName,

    /// A login name that the account may open; name all of them.
    #[arg(long = "login", value_name = "LOGIN", required_unless_present_any = ["roles", "groups", "no_logins", "no_groups"])]
    logins: Vec<LoginName>,

    /// No login names any more.
    #[arg(long, conflicts_with = "logins")]
    no_logins: bool,

    /// What the account may do; name all of its roles.
    #[arg(long = "role", value_name = "ROLE", value_parser = role())]
    roles: Vec<Role>,

    /// A group that the account is in, for policies to speak of; name all of them.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<GroupName>,

    /// In no group any more.
    #[arg(long, conflicts_with = "groups")]
    no_groups: bool,

    #[command(flatten)]
    card: CardChoice,
}

impl Update {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let logins = (self.no_logins || !self.logins.is_empty()).then(|| self.logins.clone());
        let roles = (!self.roles.is_empty()).then(|| self.roles.clone());
        let groups = (self.no_groups || !self.groups.is_empty()).then(|| self.groups.clone());
        let job = Job::new("update", "account", self.name.as_str(), &self.card)?;
        change::report(job.with(&AccountUpdate { logins, roles, groups })?.run(global)?, told)
    }
}

fn told(account: &AccountChanged) -> Words {
    let AccountChanged { account, changed, .. } = account;
    let said = if *changed {
        format!("Account {account} has other logins, roles or groups now.")
    } else {
        format!("Account {account} had these logins, roles and groups before.")
    };
    let next = format!("To see them: countersign admin user show {account}");
    Words { said, more: None, next: Some(next) }
}
