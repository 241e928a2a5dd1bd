//! `countersign-server token`.

use std::path::PathBuf;

use clap::Args;
use countersign_protocol::clock::SystemClock;
use countersign_protocol::random::SystemRandom;

use super::{CommandError, own_files, print};
use crate::token::{TokenError, token};

#[derive(Debug, Args)]
pub(super) struct TokenArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// What the token is for, in the ledger.
    name: String,
}

pub(super) fn run(arguments: &TokenArguments) -> Result<(), CommandError> {
    let (store, keys) = own_files::store_and_keys(&arguments.config)?;
    let created =
        token(&*store, &keys, &arguments.name, &SystemClock, &SystemRandom).map_err(|error| match error {
            TokenError::Store(_) => CommandError::Data(error.to_string()),
            _ => CommandError::Failed(error.to_string()),
        })?;
    print(&format!(
        "\
Enrolment token:      {}   (one host, until {})

On the host, as root: countersign enroll, or countersign host replace if it was enrolled before.
",
        created.token, created.expires
    ));
    Ok(())
}
