//! `countersign collection update`.

use clap::{Args, ValueHint};
use countersign_protocol::message::result::CollectionUpdate;

use super::schema;
use super::shown::Named;
use crate::args::Global;
use crate::failure::Failure;
use crate::given::Given;
use crate::output::Report;

/// Give a collection another schema, or none.
#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    named: Named,

    /// The JSON Schema that its documents fulfil from now on; - is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "no_schema")]
    schema: Option<Given>,

    /// No schema any more.
    #[arg(long, conflicts_with = "schema")]
    no_schema: bool,
}

impl Update {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let schema = self.schema.as_ref().map(|given| schema::read(global, given)).transpose()?;
        self.named.ask_with(global, "update", &CollectionUpdate { schema })
    }
}
