//! `countersign patch`.

use clap::{Args, ValueHint};
use countersign_protocol::message::result::DocumentUpdate;

use crate::args::{CardChoice, Global};
use crate::document::{self, Path};
use crate::failure::Failure;
use crate::given::Given;
use crate::job::Job;
use crate::output::Report;

/// Change some of a document, by a JSON Merge Patch: members that it names are put in the place of those that there are, and
/// what it names as null is taken out.
#[derive(Debug, Args)]
pub(crate) struct Patch {
    /// Which: COLLECTION/NAME.
    document: Path,

    /// The patch: a JSON object (RFC 7396); - is standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Given,

    /// The version that it is made for: if somebody changed the document meanwhile, nothing happens.
    #[arg(long, value_name = "VERSION")]
    over: Option<u64>,

    #[command(flatten)]
    card: CardChoice,
}

impl Patch {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let Path { collection, name } = &self.document;
        let merge = document::object(global, &self.file, "the patch")?;
        let body = DocumentUpdate { over: self.over, document: None, merge: Some(merge) };
        let job = Job::new("update", collection.as_str(), name.as_str(), &self.card)?.with(&body)?;
        document::changed(job.run(global)?, "changed")
    }
}
