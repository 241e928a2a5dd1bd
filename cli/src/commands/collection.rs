//! `countersign collection`: collections of documents, for their owners and those who grant on them.

mod appoint;
mod create;
mod dismiss;
mod grant;
mod list;
mod resume;
mod retire;
mod schema;
mod show;
mod shown;
mod suspend;
mod update;
mod withdraw;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Collection {
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Update(update::Update),
    Appoint(appoint::Appoint),
    Dismiss(dismiss::Dismiss),
    Grant(grant::Grant),
    Withdraw(withdraw::Withdraw),
    Suspend(suspend::Suspend),
    Resume(resume::Resume),
    Retire(retire::Retire),
}

impl Collection {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match self {
            Self::Create(create) => create.run(global),
            Self::List(list) => list.run(global),
            Self::Show(show) => show.run(global),
            Self::Update(update) => update.run(global),
            Self::Appoint(appoint) => appoint.run(global),
            Self::Dismiss(dismiss) => dismiss.run(global),
            Self::Grant(grant) => grant.run(global),
            Self::Withdraw(withdraw) => withdraw.run(global),
            Self::Suspend(suspend) => suspend.run(global),
            Self::Resume(resume) => resume.run(global),
            Self::Retire(retire) => retire.run(global),
        }
    }
}
