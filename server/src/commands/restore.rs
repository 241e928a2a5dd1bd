//! `countersign-server restore`.

use std::path::PathBuf;

use clap::Args;
use countersign_protocol::clock::{Clock as _, SystemClock};

use super::{CommandError, print};
use crate::backup::{Restored, restore};
use crate::config::Config;
use crate::data::DataFolder;

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// The configuration file: its data folder must have no database.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The backup.
    #[arg(value_name = "DIR")]
    from: PathBuf,
}

pub(super) fn run(arguments: &RestoreArguments) -> Result<(), CommandError> {
    let config =
        Config::read(&arguments.config).map_err(|error| CommandError::Configuration(error.to_string()))?;
    let folder = DataFolder::at(config.data);
    let done = restore(&arguments.from, &folder, SystemClock.now());
    let Restored { label, report } = done.map_err(|error| CommandError::Data(error.to_string()))?;
    print(&format!(
        "\
The backup of {made} is restored, and holds: {entries} entries, {statements} statements, root {root}.
For nine minutes the server will answer nobody: what it answered after the backup was made could come again until then.

Whatever was decided after {made} is lost, and its receipts are worth nothing. Every host that saw a longer ledger raises an
alarm at each check-in, and in a day lets nobody in any more, until root there says that it is so:
  sudo countersign host accept-ledger
A key that was revoked after {made} is good again: revoke it again, first of all.
",
        made = label.made,
        entries = report.size,
        statements = report.statements,
        root = report.root,
    ));
    Ok(())
}
