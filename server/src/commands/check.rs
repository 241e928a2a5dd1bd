//! `countersign-server check`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::random::SystemRandom;
use countersign_server_core::audit::{Auditor, Finding, Report};
use countersign_server_core::stop::Failure;

use super::{CommandError, own_files, print};

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Read the whole ledger, not only what is new since the last check.
    #[arg(long)]
    whole: bool,
    /// After you looked into every difference: say in the ledger that the rows are right as they stand. For good; everybody
    /// can read that it was done here.
    #[arg(long)]
    accept: bool,
}

pub(super) fn run(arguments: &CheckArguments) -> Result<(), CommandError> {
    let (store, keys) = own_files::store_and_keys(&arguments.config)?;
    let auditor =
        Auditor { store: &*store, pepper: &keys.pepper, ledger: &keys.ledger, random: &SystemRandom };
    let failed = |error: Failure| match error.is_damage() {
        true => CommandError::Edited(error.to_string()),
        false => CommandError::Data(error.to_string()),
    };
    if arguments.accept {
        let rows = auditor.accept(SystemClock.now()).map_err(failed)?;
        print(&format!("Accepted as they stand, in the ledger for everybody to read: {}\n", listed(&rows)));
    }
    let report = auditor.run(SystemClock.now(), arguments.whole).map_err(failed)?;
    if !report.findings.is_empty() {
        return said(&report);
    }
    // The newest checkpoint is signed over what the tables of the log hold, and nothing lies behind it.
    let view = store.view().map_err(|error| CommandError::Data(error.to_string()))?;
    let head = keys.ledger.head(&*view).map_err(|error| failed(error.into()))?;
    let root = keys.ledger.root(&*view, head.size()).map_err(|error| failed(error.into()))?;
    if head.root() != root {
        return Err(CommandError::Edited(
            "The ledger in the database is not the one that its last checkpoint signed. Restore a backup, and see: \
             countersign-server restore --help"
                .into(),
        ));
    }
    said(&report)
}

fn said(report: &Report) -> Result<(), CommandError> {
    let Report { entries, rows, findings, .. } = report;
    if findings.is_empty() {
        print(&format!(
            "The database is what the ledger says: {rows} accounts, applications and hosts, {entries} entries.\n"
        ));
        return Ok(());
    }
    let mut text = format!("The database is not what the ledger says ({entries} entries):\n");
    for Finding { row, what } in findings {
        let _infallible = writeln!(text, "  {row}: {what}");
    }
    if !findings.iter().all(Finding::is_of_a_row) {
        text.push_str(
            "What is not about one row cannot be accepted: put back what was there, or restore a backup, and read the whole \
             ledger again with --whole.\n",
        );
    }
    text.push_str(
        "Somebody edited it. Find out who could. What these rows let anybody do is denied until you restore them, or say \
         with --accept that they are right.",
    );
    Err(CommandError::Edited(text))
}

fn listed(rows: &[String]) -> String {
    if rows.is_empty() { "nothing".to_owned() } else { rows.join(", ") }
}
