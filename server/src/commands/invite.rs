//! `countersign-server invite`.

use std::path::PathBuf;

use clap::Args;
use countersign_protocol::clock::SystemClock;
use countersign_protocol::ids::AccountName;
use countersign_protocol::random::SystemRandom;

use super::{CommandError, own_files, print};
use crate::config::Config;
use crate::invite::{InviteError, Replaced, invite, replace_key};
use crate::post;

#[derive(Debug, Args)]
pub(super) struct InviteArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// End the key of this administrator, whose card is lost while nobody else can administer. For good; everybody can
    /// read in the ledger that it was done here.
    #[arg(long)]
    replace_key: bool,
    /// The first administrator's account; with --replace-key, any administrator's.
    account: AccountName,
}

pub(super) fn run(arguments: &InviteArguments) -> Result<(), CommandError> {
    let (store, keys) = own_files::store_and_keys(&arguments.config)?;
    let account = &arguments.account;
    let made = if arguments.replace_key {
        let config = Config::read(&arguments.config)
            .map_err(|error| CommandError::Configuration(error.to_string()))?;
        replace_key(&*store, &keys, account, &post::reach(&config), &SystemClock, &SystemRandom)
    } else {
        let created = invite(&*store, &keys, account, &SystemClock, &SystemRandom);
        created.map(|created| Replaced { created, revoked: None })
    };
    let Replaced { created, revoked } = made.map_err(|error| match error {
        InviteError::Store(_) => CommandError::Data(error.to_string()),
        _ => CommandError::Failed(error.to_string()),
    })?;
    if let Some(key) = revoked {
        print(&format!("Revoked for good:     {}\n", key.spaced()));
    }
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
