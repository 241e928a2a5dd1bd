//! `countersign app show`: an application and its versions.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::ApplicationName;
use countersign_protocol::message::result::{ApplicationList, ApplicationShown};
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::{Failure, LocalKind};
use crate::job::Job;
use crate::output::Report;

/// Show an application: where it stands, whose it is, and its versions with the hosts that run them.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The application.
    name: ApplicationName,

    #[command(flatten)]
    card: CardChoice,
}

impl Show {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let job = Job::new("read", "application", self.name.as_str(), &self.card)?;
        let ApplicationList { applications, more } = job.run(global)?.result;
        let shown = applications.into_iter().find(|one| one.application == self.name).ok_or_else(|| {
            Failure::local(LocalKind::AgentProtocol, "the server answered about another application")
        })?;
        Report::of(&Shown { shown, more })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    shown: ApplicationShown,
    more: bool,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shown, more } = self;
        writeln!(f, "Application {}", shown.application)?;
        writeln!(f, "  state       {}", shown.state)?;
        let owner = shown.owner.as_ref().map_or("nobody's: it came with the server", |owner| owner.as_str());
        writeln!(f, "  owner       {owner}")?;
        writeln!(f, "  registered  {}", shown.created)?;
        writeln!(f, "  key         {}", shown.key.spaced())?;
        for version in &shown.versions {
            writeln!(f, "Version {}, {}", version.version, version.published)?;
            writeln!(f, "  sha-256     {}", version.digest)?;
            writeln!(f, "  hosts       {} say they run it", version.hosts)?;
            if let Some(at) = version.retired {
                writeln!(f, "  retired     {at}")?;
            }
            for line in version.notes.lines() {
                writeln!(f, "  | {line}")?;
            }
        }
        if *more { writeln!(f, "There are older versions.") } else { Ok(()) }
    }
}
