//! `countersign-server token`.

use std::path::PathBuf;

use clap::Args;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::random::SystemRandom;

use super::{CommandError, print};
use crate::config::Config;
use crate::data::DataFolder;
use crate::open;
use crate::store::sqlite::{CrashPoint, SqliteStore};
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
    let config =
        Config::read(&arguments.config).map_err(|error| CommandError::Configuration(error.to_string()))?;
    let folder = DataFolder::at(config.data);
    let keys = open::keys(&folder, config.url.as_str(), SystemClock.now())
        .map_err(|error| CommandError::Data(error.to_string()))?;
    let store = SqliteStore::open(&folder.database(), CrashPoint::never())
        .map_err(|error| CommandError::Data(error.to_string()))?;
    let created =
        token(&store, &keys, &arguments.name, &SystemClock, &SystemRandom).map_err(|error| match error {
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
