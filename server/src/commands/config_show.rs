//! `countersign-server config show`.

use std::path::Path;

use crate::config::Config;

use super::{CommandError, print};

pub(super) fn run(path: &Path) -> Result<(), CommandError> {
    let config = Config::read(path).map_err(|error| CommandError::Configuration(error.to_string()))?;
    let shown = config.shown().map_err(|error| CommandError::Failed(error.to_string()))?;
    print(&shown);
    Ok(())
}
