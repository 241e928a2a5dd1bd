//! `countersign job result`.

use clap::Args;
use countersign_protocol::ids::CorrelationId;

use super::submit::report;
use crate::args::Global;
use crate::failure::Failure;
use crate::job;
use crate::output::Report;

/// Show what came of a request that this host could not wait for. A result is served once, on the host that asked.
#[derive(Debug, Args)]
pub(crate) struct Result {
    /// What was to be quoted.
    id: CorrelationId,
}

impl Result {
    pub(super) fn run(&self, global: &Global) -> std::result::Result<Report, Failure> {
        report(job::result(global, &self.id)?)
    }
}
