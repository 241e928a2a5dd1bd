//! `countersign admin application approve`: let a developer's application be used.

use clap::Args;

use crate::args::Global;
use crate::commands::app::change::{Named, words};
use crate::failure::Failure;
use crate::output::Report;

/// Let hosts enrol with an application that a developer registered.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    #[command(flatten)]
    named: Named,
}

impl Approve {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        self.named.change(global, "approve", |changed| {
            let next = "Each host that enrols with it still needs a token or an approval of its own.";
            words(changed, Some(next.to_owned()))
        })
    }
}
