//! `countersign job list`.

use std::fmt;

use clap::Args;
use countersign_protocol::message::result::{JobList, JobShown};
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// List your requests about documents of the last day, wherever you made them, and how they stand.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    card: CardChoice,
}

impl List {
    pub(super) fn run(&self, global: &Global) -> Result<Report, Failure> {
        Report::of(&Shown { list: Job::new("read", "jobs", "own", &self.card)?.run(global)?.result })
    }
}

/// Jobs in a table.
#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    pub(super) list: JobList,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "ID         STANDING   ACCEPTED              REQUEST")?;
        for JobShown { correlation, standing, accepted, operation, resource, reason, .. } in &self.list.jobs {
            let (id, standing) = (correlation.as_str(), standing.as_str());
            writeln!(f, "{id:9}  {standing:9}  {accepted}  {operation} {resource}")?;
            if !reason.is_empty() {
                writeln!(f, "           {reason}")?;
            }
        }
        Ok(())
    }
}
