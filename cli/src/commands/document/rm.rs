//! `countersign rm`.

use clap::Args;
use countersign_protocol::message::result::DocumentRemoval;

use crate::args::{CardChoice, Global};
use crate::document::{self, Path};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Delete a document, with all its versions.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Which: COLLECTION/NAME.
    document: Path,

    /// The version that you have seen: if somebody changed it meanwhile, nothing happens.
    #[arg(long, value_name = "VERSION")]
    over: Option<u64>,

    #[command(flatten)]
    card: CardChoice,
}

impl Rm {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let Path { collection, name } = &self.document;
        let job = Job::new("delete", collection.as_str(), name.as_str(), &self.card)?;
        let job = match self.over {
            None => job,
            over => job.with(&DocumentRemoval { over })?,
        };
        document::changed(job.run(global)?, "deleted")
    }
}
