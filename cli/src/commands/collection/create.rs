//! `countersign collection create`.

use clap::{Args, ValueHint};
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::NewCollection;

use super::schema;
use super::shown::Named;
use crate::args::Global;
use crate::failure::Failure;
use crate::given::Given;
use crate::output::Report;

/// Make a collection of documents. Its owner is an account with the role resource.
#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    named: Named,

    /// Whose it is; yours, if not given. Administrators make them for others.
    #[arg(long, value_name = "ACCOUNT")]
    owner: Option<AccountName>,

    /// The JSON Schema that its documents fulfil; - is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    schema: Option<Given>,
}

impl Create {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let schema = self.schema.as_ref().map(|given| schema::read(global, given)).transpose()?;
        self.named.ask_with(global, "create", &NewCollection { owner: self.owner.clone(), schema })
    }
}
