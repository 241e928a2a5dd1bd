//! `countersign job`: requests about documents and what came of them; requests that other people must approve, from both
//! sides.

mod approve;
mod cancel;
mod list;
mod result;
mod show;
mod shown;
mod submit;
mod withdraw;

use clap::Subcommand;
use countersign_protocol::ids::{CorrelationId, InvalidId, MessageId};
use countersign_protocol::message::result::RequestShown;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    Submit(submit::Submit),
    Result(result::Result),
    List(list::List),
    Cancel(cancel::Cancel),
    Approve(approve::Approve),
    Withdraw(withdraw::Withdraw),
    Show(show::Show),
}

impl Job {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match self {
            Self::Submit(submit) => submit.run(global),
            Self::Result(result) => result.run(global),
            Self::List(list) => list.run(global),
            Self::Cancel(cancel) => cancel.run(global),
            Self::Approve(approve) => approve.run(global),
            Self::Withdraw(withdraw) => withdraw.run(global),
            Self::Show(show) => show.run(global),
        }
    }
}

/// A request, by its id or by the correlation id that people quote.
fn name(text: &str) -> Result<String, InvalidId> {
    let upper = text.to_ascii_uppercase();
    match text.parse::<MessageId>() {
        Ok(id) => Ok(id.to_string()),
        Err(_) => upper.parse::<CorrelationId>().map(|id| id.to_string()),
    }
}

/// What waits under this name. It is looked at, whether or not what follows is only tried.
fn look(name: &str, card: &CardChoice, global: &Global) -> Result<RequestShown, Failure> {
    Ok(crate::job::Job::new("read", "request", name, card)?.look(global)?.result)
}
