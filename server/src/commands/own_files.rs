//! The server's own files, for commands that work on them where they lie.

use std::path::Path;
use std::sync::Arc;

use countersign_server_core::store::Store;

use super::CommandError;
use crate::config::Config;
use crate::data::DataFolder;
use crate::open::{self, Keys};
use crate::store::CrashPoint;

/// The folder that the configuration file names, and the keys in it.
pub(super) fn keys(config: &Path) -> Result<(DataFolder, Keys), CommandError> {
    let config = Config::read(config).map_err(|error| CommandError::Configuration(error.to_string()))?;
    let folder = DataFolder::at(config.data);
    let keys = open::keys(&folder).map_err(|error| CommandError::Data(error.to_string()))?;
    Ok((folder, keys))
}

/// The database and the keys.
pub(super) fn store_and_keys(path: &Path) -> Result<(Arc<dyn Store>, Keys), CommandError> {
    let wrong = |error: &dyn std::fmt::Display| CommandError::Data(error.to_string());
    let config = Config::read(path).map_err(|error| CommandError::Configuration(error.to_string()))?;
    let (folder, keys) = keys(path)?;
    let database = config.store.database(&folder).map_err(|error| wrong(&error))?;
    let store = database.open(CrashPoint::never()).map_err(|error| wrong(&error))?;
    open::check_owner(&*store, keys.ledger.key()).map_err(|error| wrong(&error))?;
    Ok((store, keys))
}
