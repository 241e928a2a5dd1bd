//! `countersign collection withdraw`.

use clap::Args;
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::result;

use super::shown::Named;
use crate::args::{Global, access};
use crate::failure::Failure;
use crate::output::Report;

/// Take away what an account was granted on a collection that you look after.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    #[command(flatten)]
    named: Named,

    /// From whom.
    account: AccountName,

    /// What it may not do any more; everything, if nothing is named.
    #[arg(value_name = "ACCESS", value_parser = access())]
    access: Vec<result::Access>,
}

impl Withdraw {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let body = result::Grant { account: self.account.clone(), access: self.access.clone() };
        self.named.ask_with(global, "withdraw", &body)
    }
}
