//! `countersign job approve`: sign for somebody else's request.

use clap::Args;
use countersign_protocol::message::result::ApprovalComment;

use super::shown::{Whole, changed};
use super::{look, name};
use crate::args::{CardChoice, Global};
use crate::failure::{Failure, LocalKind};
use crate::job::Job;
use crate::output::Report;
use crate::terminal::tell;

/// Approve somebody else's request: exactly this one, as it is shown to you before you are asked for your PIN again.
///
/// With the last approval that is needed it is done at once. Your card signs twice: to look at it, and for it.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The request: its id, or the correlation id that people quote.
    #[arg(value_name = "ID|CORRELATION", value_parser = name)]
    request: String,

    /// A word to the others who are asked, and to whoever asks.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,

    #[command(flatten)]
    card: CardChoice,
}

impl Approve {
    pub(super) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let whole = Whole::of(look(&self.request, &self.card, global)?)?;
        let Some(statement) = whole.statement() else {
            let message =
                format!("the request {} does not wait for approvals: it is {}", self.request, whole.state());
            return Err(
                Failure::local(LocalKind::NotFound, message).then("See what does: countersign job list")
            );
        };
        tell(&format!("You are about to approve this:\n\n{whole}"));
        let job = Job::new("approve", "request", &self.request, &self.card)?.approving(statement);
        let job = match &self.comment {
            Some(comment) => job.with(&ApprovalComment { comment: comment.clone() })?,
            None => job,
        };
        changed(job.run(global)?)
    }
}
