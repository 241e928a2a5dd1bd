//! `countersign app`: one's own applications, for developers.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod list;
mod publish;
pub(crate) mod retire;
pub(crate) mod retire_version;
pub(crate) mod show;
pub(crate) mod suspend;

use clap::Subcommand;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum App {
    Create(create::Create),
    List(list::Own),
    Show(show::Show),
    Publish(publish::Publish),
    RetireVersion(retire_version::RetireVersion),
    Suspend(suspend::Suspend),
    Retire(retire::Retire),
}

impl App {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match self {
            Self::Create(create) => create.run(global),
            Self::List(list) => list.run(global),
            Self::Show(show) => show.run(global),
            Self::Publish(publish) => publish.run(global),
            Self::RetireVersion(retire) => retire.run(global),
            Self::Suspend(suspend) => suspend.run(global),
            Self::Retire(retire) => retire.run(global),
        }
    }
}
