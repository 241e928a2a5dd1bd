//! `countersign-server backup`.

use std::path::PathBuf;

use clap::Args;
use countersign_protocol::clock::{Clock as _, SystemClock};

use super::{CommandError, own_files, print};
use crate::backup::{Label, backup};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct BackupArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The server's keys too, as they are. Whoever has them is this server: keep them apart from the database, or encrypt.
    #[arg(long)]
    keys: bool,
    /// A new folder for it.
    #[arg(value_name = "DIR")]
    to: PathBuf,
}

pub(super) fn run(arguments: &BackupArguments) -> Result<(), CommandError> {
    let config =
        Config::read(&arguments.config).map_err(|error| CommandError::Configuration(error.to_string()))?;
    if config.store.postgres.is_some() {
        let next = "Use PostgreSQL's own (pg_dump --format=custom), and keep the keys of the data folder apart from it";
        return Err(CommandError::Data(format!("this copies a database that is a file. {next}")));
    }
    let (folder, keys) = own_files::keys(&arguments.config)?;
    let made = backup(&folder, &keys, &arguments.to, arguments.keys, SystemClock.now());
    let Label { entries, root, keys, findings, .. } =
        made.map_err(|error| CommandError::Data(error.to_string()))?;
    print(&format!(
        "\
The backup is in {}, and holds: {entries} entries of the ledger, root {root}.
It holds what people signed, and {} Keep it as the server itself is kept.
",
        arguments.to.display(),
        if keys {
            "the server's keys."
        } else {
            "no keys: keep server.key, ledger.key, codes.key and replies.key elsewhere."
        }
    ));
    if findings.is_empty() {
        return Ok(());
    }
    Err(CommandError::Edited(format!(
        "ALARM: the database is not what the ledger says, and neither is this backup:\n  {}\nSomebody edited it. Keep your \
         earlier backups, and look into it: countersign-server check. The backup is whole otherwise; it is restored only with \
         --with-findings.",
        findings.join("\n  ")
    )))
}
