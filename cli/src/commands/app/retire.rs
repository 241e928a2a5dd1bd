//! `countersign app retire`: the end of an application.

use clap::Args;

use super::change::{Named, words};
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

/// End an application for good: no new host enrols with it, and its name is never another one's. Enrolled hosts go on.
#[derive(Debug, Args)]
pub(crate) struct Retire {
    #[command(flatten)]
    named: Named,
}

impl Retire {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        self.named.change(global, "retire", |changed| {
            let next =
                "Enrolled hosts go on. An administrator ends one: countersign admin host revoke FINGERPRINT";
            words(changed, Some(next.to_owned()))
        })
    }
}
