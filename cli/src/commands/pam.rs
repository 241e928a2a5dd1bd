//! `countersign pam`: have this host's programs ask for cards, without locking anybody out.

mod confirm;
mod disable;
mod enable;
mod revert;
mod self_test;
mod status;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Pam {
    Enable(enable::Enable),
    Confirm(confirm::Confirm),
    Disable(disable::Disable),
    Revert(revert::Revert),
    Status(status::Status),
    SelfTest(self_test::SelfTest),
}

impl Pam {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match self {
            Self::Enable(enable) => enable.run(global),
            Self::Confirm(confirm) => confirm.run(),
            Self::Disable(disable) => disable.run(),
            Self::Revert(revert) => revert.run(),
            Self::Status(status) => status.run(),
            Self::SelfTest(test) => test.run(global),
        }
    }
}
