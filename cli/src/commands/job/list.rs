//! `countersign job list`.

use std::fmt;

use clap::Args;
use countersign_protocol::message::result::{JobList, JobShown};
use serde::Serialize;

use super::shown::in_a_line;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// List your requests about documents of the last day and how they stand, those of yours that take approvals, and those of
/// others that wait for yours.
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

/// Jobs in a table, and what waits for approvals behind it.
#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    pub(super) list: JobList,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JobList { jobs, requests } = &self.list;
        if jobs.is_empty() && requests.is_empty() {
            return writeln!(f, "No request of yours is known, and none of others waits for your approval.");
        }
        if !jobs.is_empty() {
            writeln!(f, "ID         STANDING   ACCEPTED              REQUEST")?;
        }
        for JobShown { correlation, standing, accepted, operation, resource, reason, .. } in jobs {
            let (id, standing) = (correlation.as_str(), standing.as_str());
            writeln!(f, "{id:9}  {standing:9}  {accepted}  {operation} {resource}")?;
            if !reason.is_empty() {
                writeln!(f, "           {reason}")?;
            }
        }
        if !requests.is_empty() {
            writeln!(f, "Requests that take approvals:")?;
        }
        requests.iter().try_for_each(|one| writeln!(f, "{}", in_a_line(one)))
    }
}
