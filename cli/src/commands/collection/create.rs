//! `countersign collection create`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result::NewCollection;

use super::shown::Named;
use crate::args::Global;
use crate::failure::Failure;
use crate::files;
use crate::output::Report;

/// Make a collection of documents. Its owner is an account with the role resource.
#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    named: Named,

    /// Whose it is; yours, if not given. Administrators make them for others.
    #[arg(long, value_name = "ACCOUNT")]
    owner: Option<AccountName>,

    /// The JSON Schema that its documents fulfil.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    schema: Option<PathBuf>,
}

impl Create {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let schema = self.schema.as_deref().map(|path| files::text(path, "the schema")).transpose()?;
        self.named.ask_with(global, "create", &NewCollection { owner: self.owner.clone(), schema })
    }
}
