//! `countersign host accept-ledger`: the server was restored from a backup, and root says so.

use std::fmt;

use clap::Args;
use countersign_protocol::ipc::{Reply, Request, StatusReport};
use serde::Serialize;

use crate::agent;
use crate::args::Global;
use crate::commands::enroll::as_root;
use crate::failure::Failure;
use crate::output::Report;

/// Take the server's ledger as it is after it was restored from a backup (as root).
///
/// A host holds its server to the ledger that it has seen, and takes no roster from a server whose ledger does not
/// continue it. This ends that alarm: it shows how much the host knew and how much there is, asks, and has it recorded.
#[derive(Debug, Args)]
pub(crate) struct AcceptLedger {}

impl AcceptLedger {
    #[expect(clippy::unused_self, reason = "as every command")]
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        as_root("has a host take another ledger")?;
        match agent::ask(global, &Request::AcceptLedger)?.reply {
            Reply::Status(report) => Report::of(&Shown(*report)),
            other => Err(agent::unexpected(&other)),
        }
    }
}

#[derive(Serialize)]
struct Shown(StatusReport);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "This host takes the server's ledger as it is, and holds it to that from now on.")?;
        writeln!(f, "It is in the journal, and the server is told: countersign journal")
    }
}
