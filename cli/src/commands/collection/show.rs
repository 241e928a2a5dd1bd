//! `countersign collection show`.

use clap::Args;

use super::shown::Named;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

/// Show a collection: its owner, who grants on it, and who was granted what.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    named: Named,
}

impl Show {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        self.named.ask(global, "read")
    }
}
