//! `countersign app publish`: a version of an application.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use countersign_protocol::ids::{ApplicationName, Digest, VersionName};
use countersign_protocol::message::result::{NewVersion, VersionChanged};
use sha2::{Digest as _, Sha256};

use crate::args::{CardChoice, Global};
use crate::commands::admin::change::{self, Words};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Publish a version of your application: its name, its SHA-256 and notes. Neither name nor digest ever changes.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The application.
    name: ApplicationName,

    /// The version's name, such as 1.4.0.
    // `--version` is every command's.
    #[arg(id = "named", value_name = "VERSION")]
    version: VersionName,

    /// What is published; only its SHA-256 is sent.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// What is new in it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    notes: String,

    #[command(flatten)]
    card: CardChoice,
}

impl Publish {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let digest = digest_of(&self.file)?;
        let body = NewVersion { version: self.version.clone(), digest, notes: self.notes.clone() };
        let job = Job::new("publish", "application", self.name.as_str(), &self.card)?.with(&body)?;
        change::report(job.run(global)?, told)
    }
}

fn digest_of(path: &Path) -> Result<Digest, Failure> {
    let failed = |error: std::io::Error| Failure::file(format!("{} cannot be read: {error}", path.display()));
    let mut file = File::open(path).map_err(failed)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(Digest::from_bytes(hash.finalize().into())),
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

fn told(published: &VersionChanged) -> Words {
    let VersionChanged { application, version, .. } = published;
    let next = format!("To take it back later: countersign app retire-version {application} {version}");
    Words { said: format!("Version {version} of {application} is published."), more: None, next: Some(next) }
}
