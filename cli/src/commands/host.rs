//! `countersign host`: the key that names this host, and the ledger that it holds its server to.

mod accept_ledger;
mod replace;
mod rotate_key;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    RotateKey(rotate_key::RotateKey),
    Replace(replace::Replace),
    AcceptLedger(accept_ledger::AcceptLedger),
}

impl Host {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match self {
            Self::RotateKey(rotate) => rotate.run(global),
            Self::Replace(replace) => replace.run(global),
            Self::AcceptLedger(accept) => accept.run(global),
        }
    }
}
