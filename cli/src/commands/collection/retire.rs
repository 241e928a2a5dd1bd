//! `countersign collection retire`.

use clap::Args;

use super::shown::Named;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

/// End a collection for good. Its name is never another one's.
#[derive(Debug, Args)]
pub(crate) struct Retire {
    #[command(flatten)]
    named: Named,
}

impl Retire {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        self.named.ask(global, "retire")
    }
}
