//! `countersign-server migrate`.

mod tables;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::serve::crash_point;
use super::{CommandError, own_files, print};
use crate::config;
use crate::proof::{self, Proof};
use crate::store::moving::{Moved, to_postgres};
use crate::store::postgres::Address;
use crate::store::{CrashPoint, Database};

#[derive(Debug, Subcommand)]
pub(super) enum MigrateCommand {
    /// Move everything from the file in the data folder to an empty database on a PostgreSQL server.
    SqliteToPostgres(ToPostgres),
    /// Bring the tables of a PostgreSQL database up to this version's, as their owner. Servers that own them do it by themselves.
    Tables(tables::TablesArguments),
}

#[derive(Debug, Args)]
pub(super) struct ToPostgres {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The database: "host=… user=… dbname=…".
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// A file with the password for it.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Kill this process after the nth of the two commits' beginnings. For tests.
    #[arg(long, hide = true, value_name = "N")]
    crash_after_write: Option<u64>,
}

pub(super) fn run(command: &MigrateCommand) -> Result<(), CommandError> {
    let ToPostgres { config, to, password_file, crash_after_write } = match command {
        MigrateCommand::SqliteToPostgres(arguments) => arguments,
        MigrateCommand::Tables(arguments) => return tables::run(arguments),
    };
    let wrong = |error: &dyn std::fmt::Display| CommandError::Data(error.to_string());
    let address: Address =
        to.parse().map_err(|error| CommandError::Configuration(format!("--to: {error}")))?;
    let crash = crash_point(*crash_after_write)?;
    let (folder, keys) = own_files::keys(config)?;
    let store = config::Store { postgres: Some(address), password_file: password_file.clone() };
    let Database::Postgres(address) = store.database(&folder).map_err(|error| wrong(&error))? else {
        return Err(CommandError::Configuration("--to names no PostgreSQL database".into()));
    };
    let file = folder.database();
    // Brings its tables up to this program's, and refuses one that was moved.
    let before_it =
        Database::Sqlite(file.clone()).open(CrashPoint::never()).map_err(|error| wrong(&error))?;
    // What does not hold here would not hold there, when the file is marked already.
    let _held = proof::whole(&*before_it, &keys).and_then(Proof::of_all).map_err(|error| wrong(&error))?;
    drop(before_it);
    let Moved { rows, entries, root, before } =
        to_postgres(&file, &address, &keys.ledger, &crash).map_err(|error| wrong(&error))?;
    let store = Database::Postgres(address).open(CrashPoint::never()).map_err(|error| wrong(&error))?;
    let proven = proof::whole(&*store, &keys).and_then(Proof::of_all);
    let report = proven.map_err(|error| {
        let file = file.display();
        wrong(&format!(
            "everything was moved, and {file} is marked; but of what is on PostgreSQL now: {error}"
        ))
    })?;
    let count: u64 = rows.values().sum();
    let earlier = if before { " It had been moved before; the file was not marked yet." } else { "" };
    print(&format!(
        "\
Everything is on PostgreSQL: {count} rows of {tables} tables; the ledger holds, {entries} entries, {statements} statements,
root {root}.{earlier}
The file {file} is marked: nothing is recorded in it any more. Delete it when you have a backup.
Next: in {config}
  [store]
  postgres = {to:?}{password}
",
        tables = rows.len(),
        statements = report.statements,
        file = file.display(),
        config = config.display(),
        password = password_file
            .as_ref()
            .map(|file| format!("\n  password_file = {:?}", file.display().to_string()))
            .unwrap_or_default(),
    ));
    Ok(())
}
