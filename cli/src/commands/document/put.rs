//! `countersign put`.

use clap::{Args, ValueHint};
use countersign_protocol::message::result::DocumentUpdate;

use crate::args::{CardChoice, Global};
use crate::document::{self, Path};
use crate::failure::Failure;
use crate::given::Given;
use crate::job::Job;
use crate::output::Report;

/// Write a document: a new one, or the whole of one that there is.
#[derive(Debug, Args)]
pub(crate) struct Put {
    /// Which: COLLECTION/NAME.
    document: Path,

    /// What it holds: a JSON object; - is standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Given,

    /// It is new.
    #[arg(long, conflicts_with = "over")]
    new: bool,

    /// The version that it replaces, as `countersign get --json` shows it: if somebody changed it meanwhile, nothing happens.
    #[arg(long, value_name = "VERSION")]
    over: Option<u64>,

    #[command(flatten)]
    card: CardChoice,
}

impl Put {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let Path { collection, name } = &self.document;
        let object = document::object(global, &self.file, "the document")?;
        let operation = if self.new { "create" } else { "update" };
        let job = Job::new(operation, collection.as_str(), name.as_str(), &self.card)?;
        let job = match self.new {
            true => job.with(&object)?,
            false => job.with(&DocumentUpdate { over: self.over, document: Some(object), merge: None })?,
        };
        document::changed(job.run(global)?, "written")
    }
}
