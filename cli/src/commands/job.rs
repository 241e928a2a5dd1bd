//! `countersign job`: requests about documents, and what came of them.

mod cancel;
mod list;
mod result;
mod submit;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    Submit(submit::Submit),
    Result(result::Result),
    List(list::List),
    Cancel(cancel::Cancel),
}

impl Job {
    pub(crate) fn run(&self, global: &Global) -> std::result::Result<Report, Failure> {
        match self {
            Self::Submit(submit) => submit.run(global),
            Self::Result(result) => result.run(global),
            Self::List(list) => list.run(global),
            Self::Cancel(cancel) => cancel.run(global),
        }
    }
}
