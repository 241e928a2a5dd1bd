//! `countersign admin user list`: who is who.

use std::fmt;

use clap::Args;
use countersign_protocol::message::result::{AccountList, KeyShown, ListAfter};
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// List the accounts with their states, keys and when they were last seen. For administrators and auditors.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Begin after this name, where one page was not enough.
    #[arg(long, value_name = "NAME")]
    after: Option<String>,

    #[command(flatten)]
    card: CardChoice,
}

impl List {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let list = page(global, &self.card, self.after.clone())?;
        Report::of(&Shown { list })
    }
}

/// One page of accounts; one PIN.
pub(super) fn page(
    global: &Global,
    card: &CardChoice,
    after: Option<String>,
) -> Result<AccountList, Failure> {
    Ok(Job::new("read", "accounts", "all", card)?.with(&ListAfter { after })?.run(global)?.result)
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    list: AccountList,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accounts = &self.list.accounts;
        let width = accounts.iter().map(|one| one.account.as_str().len()).max().unwrap_or(0).max(7);
        writeln!(f, "{:width$}  {:9}  {:20}  {:14}  KEY", "ACCOUNT", "STATE", "LAST SEEN", "CARD")?;
        for one in accounts {
            let seen = one.seen.map_or_else(|| "never".to_owned(), |at| at.to_string());
            let (card, key) = card_and_key(one.key.as_ref());
            writeln!(f, "{:width$}  {:9}  {seen:20}  {card:14}  {key}", one.account.as_str(), one.state)?;
            if one.second.is_some() {
                let (card, key) = card_and_key(one.second.as_ref());
                writeln!(f, "{:width$}  {:9}  {:20}  {card:14}  {key}", "", "", "")?;
            }
        }
        match accounts.last().filter(|_| self.list.more) {
            Some(last) => writeln!(f, "There are more: countersign admin user list --after {}", last.account),
            None => Ok(()),
        }
    }
}

fn card_and_key(key: Option<&KeyShown>) -> (String, String) {
    match key {
        Some(key) => {
            (key.card.map_or_else(|| "unknown".to_owned(), |card| card.to_string()), key.key.to_string())
        }
        None => ("none".to_owned(), "none".to_owned()),
    }
}
