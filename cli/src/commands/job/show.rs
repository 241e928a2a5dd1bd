//! `countersign job show`: one request.

use clap::Args;

use super::shown::Whole;
use super::{look, name};
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::output::Report;

/// Show a request that you made, or that waits for your approval: who asks for what, with what, and who approved it.
///
/// What it yielded, such as the code of a new account, is told once, to whoever made it.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The request: its id, or the correlation id that people quote.
    #[arg(value_name = "ID|CORRELATION", value_parser = name)]
    request: String,

    #[command(flatten)]
    card: CardChoice,
}

impl Show {
    pub(super) fn run(&self, global: &Global) -> Result<Report, Failure> {
        Report::of(&Whole::of(look(&self.request, &self.card, global)?)?)
    }
}
