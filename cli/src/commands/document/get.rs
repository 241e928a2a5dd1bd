//! `countersign get`.

use std::fmt;

use clap::Args;
use countersign_protocol::message::result::{DocumentAsked, DocumentShown};
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::document::Path;
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Show a document. It comes sealed to your card, which opens it.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(crate) struct Get {
    /// Which: COLLECTION/NAME.
    document: Path,

    /// An earlier version.
    #[arg(long = "version", id = "of-version", value_name = "VERSION")]
    version: Option<u64>,

    #[command(flatten)]
    card: CardChoice,
}

impl Get {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let Path { collection, name } = &self.document;
        let job = Job::new("read", collection.as_str(), name.as_str(), &self.card)?;
        let job = match self.version {
            None => job,
            version => job.with(&DocumentAsked { version })?,
        };
        Report::of(&Shown { shown: job.run(global)?.result })
    }
}

/// For people, the document and nothing else: it may go into a file.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    shown: DocumentShown,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string_pretty(&self.shown.document).map_err(|_| fmt::Error)?)
    }
}
