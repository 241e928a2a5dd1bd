//! `countersign-server migrate tables`: where neither the auth server nor the API owns the tables, their owner does it.

use std::path::{Path, PathBuf};

use clap::Args;

use super::super::{CommandError, print};
use crate::config;
use crate::data::DataFolder;
use crate::store::CrashPoint;

#[derive(Debug, Args)]
pub(in super::super) struct TablesArguments {
    /// The database, as the owner of its tables: "host=… user=… dbname=…".
    #[arg(long, value_name = "ADDRESS")]
    postgres: String,
    /// A file with the password for it.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(super) fn run(arguments: &TablesArguments) -> Result<(), CommandError> {
    let TablesArguments { postgres, password_file } = arguments;
    let wrong = |error: &dyn std::fmt::Display| CommandError::Data(error.to_string());
    let address =
        postgres.parse().map_err(|error| CommandError::Configuration(format!("--postgres: {error}")))?;
    let store = config::Store { postgres: Some(address), password_file: password_file.clone() };
    // No file of a folder is asked for.
    let folder = DataFolder::at(Path::new("/").to_owned());
    let database = store.database(&folder).map_err(|error| wrong(&error))?;
    drop(database.open(CrashPoint::never()).map_err(|error| wrong(&error))?);
    print(
        "The tables are those of this version. What is new among them nobody but their owner sees: give the auth server and the \
         API their share with the SQL of countersign-server grants.\n",
    );
    Ok(())
}
