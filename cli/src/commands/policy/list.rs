//! `countersign policy list`: which documents there are.

use std::fmt;

use clap::Args;
use countersign_protocol::message::result::{PolicyList, PolicyVersion};
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// List the policy documents of the server, each with its newest version. For administrators and auditors.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    card: CardChoice,
}

impl List {
    pub(super) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let list = Job::new("read", "policy", "all", &self.card)?.run(global)?.result;
        Report::of(&Listed { list })
    }
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    list: PolicyList,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyList { documents, epoch } = &self.list;
        let width = documents.iter().map(|one| one.name.as_str().len()).max().unwrap_or(0).max(8);
        writeln!(f, "{:width$}  {}", "DOCUMENT", HEADINGS)?;
        for one in documents {
            writeln!(f, "{:width$}  {}", one.name.as_str(), in_columns(one))?;
        }
        writeln!(f, "Policies changed {epoch} times so far.")
    }
}

pub(super) const HEADINGS: &str = "VERSION  SINCE                 EPOCH  BY";

pub(super) fn in_columns(one: &PolicyVersion) -> String {
    let by = one.by.as_ref().map_or("the server's console", |by| by.as_str());
    let out = if one.digest.is_some() { "" } else { "  (taken out)" };
    format!("{:7}  {:20}  {:5}  {by}{out}", one.version, one.since.to_string(), one.epoch)
}
