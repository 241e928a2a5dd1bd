//! `countersign collection suspend`.

use clap::Args;

use super::shown::Named;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

/// Bar everybody from the documents of a collection until it is resumed.
#[derive(Debug, Args)]
pub(crate) struct Suspend {
    #[command(flatten)]
    named: Named,
}

impl Suspend {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        self.named.ask(global, "suspend")
    }
}
