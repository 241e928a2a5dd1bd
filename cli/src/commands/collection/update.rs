//! `countersign collection update`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use countersign_protocol::message::result::CollectionUpdate;

use super::shown::Named;
use crate::args::Global;
use crate::failure::Failure;
use crate::files;
use crate::output::Report;

/// Give a collection another schema, or none.
#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    named: Named,

    /// The JSON Schema that its documents fulfil from now on.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "no_schema")]
    schema: Option<PathBuf>,

    /// No schema any more.
    #[arg(long, conflicts_with = "schema")]
    no_schema: bool,
}

impl Update {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let schema = self.schema.as_deref().map(|path| files::text(path, "the schema")).transpose()?;
        self.named.ask_with(global, "update", &CollectionUpdate { schema })
    }
}
