//! `countersign-server restore`.

use std::path::PathBuf;

use clap::Args;
use countersign_protocol::clock::{Clock as _, SystemClock};

use super::{CommandError, own_files, print};
use crate::backup::{Restored, proven, restore};
use crate::config::Config;
use crate::data::DataFolder;

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// The configuration file: its data folder must have no database.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The backup. None where the database is on PostgreSQL, after pg_restore put it there.
    #[arg(value_name = "DIR")]
    from: Option<PathBuf>,
}

pub(super) fn run(arguments: &RestoreArguments) -> Result<(), CommandError> {
    let wrong = |error: &dyn std::fmt::Display| CommandError::Data(error.to_string());
    let config =
        Config::read(&arguments.config).map_err(|error| CommandError::Configuration(error.to_string()))?;
    let (report, made) = match (&arguments.from, config.store.postgres.is_some()) {
        (Some(from), false) => {
            let folder = DataFolder::at(config.data);
            let done = restore(from, &folder, SystemClock.now());
            let Restored { label, report } = done.map_err(|error| wrong(&error))?;
            (report, label.made.to_string())
        }
        (None, true) => {
            let (store, keys) = own_files::store_and_keys(&arguments.config)?;
            let report = proven(&*store, &keys, SystemClock.now()).map_err(|error| wrong(&error))?;
            let made = report.span.map_or_else(|| "its making".to_owned(), |(_, last)| last.to_string());
            (report, made)
        }
        (Some(_), true) => {
            return Err(CommandError::Configuration(
                "The database is on PostgreSQL: put it there with pg_restore, then run this without a folder.".into(),
            ));
        }
        (None, false) => {
            return Err(CommandError::Configuration("Name the folder of the backup.".into()));
        }
    };
    print(&format!(
        "\
The backup of {made} is restored, and holds: {entries} entries, {statements} statements, root {root}.
For nine minutes the server will answer nobody: what it answered after the backup was made could come again until then.

Whatever was decided after {made} is lost, and its receipts are worth nothing. Every host that saw a longer ledger raises an
alarm at each check-in, and in a day lets nobody in any more, until root there says that it is so:
  sudo countersign host accept-ledger
A key that was revoked after {made} is good again: revoke it again, first of all.
",
        entries = report.size,
        statements = report.statements,
        root = report.root,
    ));
    Ok(())
}
