//! `countersign app list` and `countersign admin application list`.

use std::fmt;

use clap::Args;
use countersign_protocol::message::result::{ApplicationList, ListAfter};
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// List your applications.
#[derive(Debug, Args)]
pub(crate) struct Own {
    #[command(flatten)]
    page: Page,
}

/// List all applications. For administrators and auditors.
#[derive(Debug, Args)]
pub(crate) struct All {
    #[command(flatten)]
    page: Page,
}

#[derive(Debug, Args)]
struct Page {
    /// Begin after this name, where one page was not enough.
    #[arg(long, value_name = "NAME")]
    after: Option<String>,

    #[command(flatten)]
    card: CardChoice,
}

impl Own {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        self.page.report(global, "own")
    }
}

impl All {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        self.page.report(global, "all")
    }
}

impl Page {
    fn report(&self, global: &Global, which: &str) -> Result<Report, Failure> {
        let body = ListAfter { after: self.after.clone() };
        let list = Job::new("read", "applications", which, &self.card)?.with(&body)?.run(global)?.result;
        Report::of(&Shown { list })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    list: ApplicationList,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.list.applications;
        let width = found.iter().map(|one| one.application.as_str().len()).max().unwrap_or(0).max(11);
        writeln!(f, "{:width$}  {:9}  {:20}  OWNER", "APPLICATION", "STATE", "SINCE")?;
        for one in found {
            let owner = one.owner.as_ref().map_or("the server's first", |owner| owner.as_str());
            let name = one.application.as_str();
            writeln!(f, "{name:width$}  {:9}  {:20}  {owner}", one.state.as_str(), one.created.to_string())?;
        }
        match found.last().filter(|_| self.list.more) {
            Some(last) => writeln!(f, "There are more: --after {}", last.application),
            None => Ok(()),
        }
    }
}
