//! `countersign app retire-version`: a version that no new host shall run.

use clap::Args;
use countersign_protocol::ids::{ApplicationName, VersionName};
use countersign_protocol::message::result::{NamedVersion, VersionChanged};

use crate::args::{CardChoice, Global};
use crate::commands::admin::change::{self, Words};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Retire a version: no host that says it runs it enrols any more, and those that do are told to change.
#[derive(Debug, Args)]
pub(crate) struct RetireVersion {
    /// The application.
    name: ApplicationName,

    /// The version's name.
    // `--version` is every command's.
    #[arg(id = "named", value_name = "VERSION")]
    version: VersionName,

    #[command(flatten)]
    card: CardChoice,
}

impl RetireVersion {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let body = NamedVersion { version: self.version.clone() };
        let job = Job::new("retire-version", "application", self.name.as_str(), &self.card)?.with(&body)?;
        change::report(job.run(global)?, told)
    }
}

fn told(retired: &VersionChanged) -> Words {
    let VersionChanged { application, version, hosts, changed, .. } = retired;
    let when = if *changed { "is retired" } else { "was retired before" };
    let said = format!("Version {version} of {application} {when}.");
    let next = format!("{hosts} hosts say they run it. They go on, and their `countersign status` says so.");
    Words { said, more: None, next: Some(next) }
}
