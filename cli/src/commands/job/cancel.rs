//! `countersign job cancel`.

use clap::Args;
use countersign_protocol::ids::CorrelationId;

use super::list::Shown;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Call off a request of yours that nobody did so far.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// What was to be quoted, as `countersign job list` shows it.
    id: CorrelationId,

    #[command(flatten)]
    card: CardChoice,
}

impl Cancel {
    pub(super) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let job = Job::new("cancel", "job", self.id.as_str(), &self.card)?;
        Report::of(&Shown { list: job.run(global)?.result })
    }
}
