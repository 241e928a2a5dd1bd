//! `countersign collection list`.

use std::fmt;

use clap::Args;
use countersign_protocol::message::result::{CollectionList, Grant, ListAfter};
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// List the collections that concern you: yours, those that you grant on, and those that you were granted something on.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// All there are. For administrators and auditors.
    #[arg(long)]
    all: bool,

    /// Begin after this name, where one page was not enough.
    #[arg(long, value_name = "NAME")]
    after: Option<String>,

    #[command(flatten)]
    card: CardChoice,
}

impl List {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let which = if self.all { "all" } else { "own" };
        let body = ListAfter { after: self.after.clone() };
        let list = Job::new("read", "collections", which, &self.card)?.with(&body)?.run(global)?.result;
        Report::of(&Shown { list })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    list: CollectionList,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.list.collections;
        let width = found.iter().map(|one| one.collection.as_str().len()).max().unwrap_or(0).max(10);
        writeln!(f, "{:width$}  {:9}  {:16}  GRANTS", "COLLECTION", "STATE", "OWNER")?;
        for one in found {
            let said = |Grant { account, access }: &Grant| {
                let words: Vec<&str> = access.iter().map(|access| access.as_str()).collect();
                format!("{account}: {}", words.join(" "))
            };
            let grants: Vec<String> = one.grants.iter().map(said).collect();
            let (name, owner) = (one.collection.as_str(), one.owner.as_str());
            writeln!(f, "{name:width$}  {:9}  {owner:16}  {}", one.state.as_str(), grants.join(", "))?;
        }
        match found.last().filter(|_| self.list.more) {
            Some(last) => writeln!(f, "There are more: --after {}", last.collection),
            None => Ok(()),
        }
    }
}
