//! `countersign admin application resume`: lift the bar on an application.

use clap::Args;

use crate::args::Global;
use crate::commands::app::change::{Named, words};
use crate::failure::Failure;
use crate::output::Report;

/// Let hosts enrol again with an application that was suspended.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    named: Named,
}

impl Resume {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        self.named.change(global, "resume", |changed| words(changed, None))
    }
}
