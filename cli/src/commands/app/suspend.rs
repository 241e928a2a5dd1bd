//! `countersign app suspend`: no new hosts of an application for now.

use clap::Args;

use super::change::{Named, words};
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

/// Let no new host enrol with an application until an administrator lifts that. Enrolled hosts go on.
#[derive(Debug, Args)]
pub(crate) struct Suspend {
    #[command(flatten)]
    named: Named,
}

impl Suspend {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        self.named.change(global, "suspend", |changed| {
            let next = format!(
                "Enrolled hosts go on. An administrator lifts it: countersign admin application resume {}",
                changed.application
            );
            words(changed, Some(next))
        })
    }
}
