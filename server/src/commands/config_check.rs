//! `countersign-server config check`.

use std::path::Path;

use super::{CommandError, print};
use crate::config::Config;
use crate::data::DataFolder;
use crate::open;
use crate::store::sqlite::CrashPoint;

pub(super) fn run(path: &Path) -> Result<(), CommandError> {
    let config = Config::read(path).map_err(|error| CommandError::Configuration(error.to_string()))?;
    let folder = DataFolder::at(config.data);
    let core = open::open(&folder, config.url.as_str(), CrashPoint::never())
        .map_err(|error| CommandError::Data(error.to_string()))?;
    print(&format!(
        "{} is good.\nServer fingerprint: {}\n",
        path.display(),
        core.identity().fingerprint().spaced()
    ));
    Ok(())
}
