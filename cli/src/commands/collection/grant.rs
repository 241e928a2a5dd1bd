//! `countersign collection grant`.

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result;

use super::shown::Named;
use crate::args::{Global, access};
use crate::failure::Failure;
use crate::output::Report;

/// Let an account read, create, update or delete documents of a collection that you look after.
#[derive(Debug, Args)]
pub(crate) struct Grant {
    #[command(flatten)]
    named: Named,

    /// Whom.
    account: AccountName,

    /// What it may do with them.
    #[arg(value_name = "ACCESS", value_parser = access(), required = true)]
    access: Vec<result::Access>,
}

impl Grant {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let body = result::Grant { account: self.account.clone(), access: self.access.clone() };
        self.named.ask_with(global, "grant", &body)
    }
}
