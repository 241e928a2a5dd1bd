//! The server's own files, for commands that work on them where they lie.

use std::path::Path;

use super::CommandError;
use crate::config::Config;
use crate::data::DataFolder;
use crate::open::{self, Keys};
use crate::store::sqlite::{CrashPoint, SqliteStore};

/// The folder that the configuration file names, and the keys in it.
pub(super) fn keys(config: &Path) -> Result<(DataFolder, Keys), CommandError> {
    let config = Config::read(config).map_err(|error| CommandError::Configuration(error.to_string()))?;
    let folder = DataFolder::at(config.data);
    let keys = open::keys(&folder).map_err(|error| CommandError::Data(error.to_string()))?;
    Ok((folder, keys))
}

/// The database and the keys.
pub(super) fn store_and_keys(config: &Path) -> Result<(SqliteStore, Keys), CommandError> {
    let (folder, keys) = keys(config)?;
    let store = SqliteStore::open(&folder.database(), CrashPoint::never())
        .map_err(|error| CommandError::Data(error.to_string()))?;
    Ok((store, keys))
}
