//! `countersign job withdraw`: call a request off, or take an approval back.

use clap::Args;

use super::name;
use super::shown::changed;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Call a request of yours off; or, of somebody else's that you approved, take your approval back. As long as it waits.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// The request: its id, or the correlation id that people quote.
    #[arg(value_name = "ID|CORRELATION", value_parser = name)]
    request: String,

    #[command(flatten)]
    card: CardChoice,
}

impl Withdraw {
    pub(super) fn run(&self, global: &Global) -> Result<Report, Failure> {
        changed(Job::new("withdraw", "request", &self.request, &self.card)?.run(global)?)
    }
}
