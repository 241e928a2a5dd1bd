//! `countersign status`: is everything well, and if not, what to do.

mod findings;
mod table;

use std::fmt;
use std::path::Path;

use countersign_protocol::ipc::{Reply, Request, StatusReport};
use countersign_protocol::rescue;
use serde::Serialize;

use self::findings::{Finding, findings};
use crate::agent;
use crate::args::Global;
use crate::column::item;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Report, Tone};

pub(crate) fn run(global: &Global) -> Result<Report, Failure> {
    let rescued = findings::rescued(Path::new(rescue::PATH));
    let answer = match (agent::ask(global, &Request::Status), &rescued) {
        (Err(failure), Some(rescued)) => {
            let message = format!("{} {}", rescued.what, failure.message);
            return Err(Failure { message, ..failure });
        }
        (answer, _) => answer?,
    };
    match answer.reply {
        Reply::Status(report) => {
            let findings = rescued.into_iter().chain(findings(&report)).collect();
            let shown = Shown { findings, report: *report };
            let (exit, tone) = match shown.findings.as_slice() {
                [] => (Exit::Done, Tone::Good),
                _ => (Exit::Attention, Tone::Attention),
            };
            Ok(Report::of(&shown)?.ending(exit, tone))
        }
        other => Err(agent::unexpected(&other)),
    }
}

#[derive(Serialize)]
struct Shown {
    /// What needs somebody; nothing if all is well.
    #[serde(rename = "attention")]
    findings: Vec<Finding>,
    #[serde(flatten)]
    report: StatusReport,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.findings.len() {
            0 => writeln!(f, "All is well.")?,
            1 => writeln!(f, "1 thing needs attention:")?,
            many => writeln!(f, "{many} things need attention:")?,
        }
        for finding in &self.findings {
            item(f, "  - ", &finding.what)?;
            item(f, "    ", &finding.next)?;
        }
        writeln!(f)?;
        table::write(f, &self.report)
    }
}
