//! `countersign collection resume`.

use clap::Args;

use super::shown::Named;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

/// Lift the bar on a collection.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    named: Named,
}

impl Resume {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        self.named.ask(global, "resume")
    }
}
