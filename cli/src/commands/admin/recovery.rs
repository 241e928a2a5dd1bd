//! `countersign admin recovery`: other people's lost cards.

mod approve;
mod list;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Recovery {
    Approve(approve::Approve),
    List(list::List),
}

impl Recovery {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match self {
            Self::Approve(approve) => approve.run(global),
            Self::List(list) => list.run(global),
        }
    }
}
