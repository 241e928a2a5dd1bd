//! `countersign-server invite`.

use std::path::PathBuf;

use clap::Args;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ids::AccountName;
use countersign_protocol::random::SystemRandom;

use super::{CommandError, print};
use crate::config::Config;
use crate::data::DataFolder;
use crate::invite::{InviteError, invite};
use crate::open;
use crate::store::sqlite::{CrashPoint, SqliteStore};

#[derive(Debug, Args)]
pub(super) struct InviteArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The first administrator's account.
    account: AccountName,
}

pub(super) fn run(arguments: &InviteArguments) -> Result<(), CommandError> {
    let config =
        Config::read(&arguments.config).map_err(|error| CommandError::Configuration(error.to_string()))?;
    let folder = DataFolder::at(config.data);
    let keys = open::keys(&folder, config.url.as_str(), SystemClock.now())
        .map_err(|error| CommandError::Data(error.to_string()))?;
    let store = SqliteStore::open(&folder.database(), CrashPoint::never())
        .map_err(|error| CommandError::Data(error.to_string()))?;
    let created = invite(&store, &keys, &arguments.account, &SystemClock, &SystemRandom).map_err(
        |error| match error {
            InviteError::Store(_) => CommandError::Data(error.to_string()),
            _ => CommandError::Failed(error.to_string()),
        },
    )?;
    print(&format!(
        "\
Administrator:        {}
Registration code:    {}   (until {})

The code is shown this once; any earlier one is dead.
",
        created.account, created.code, created.expires
    ));
    Ok(())
}
