//! `countersign-server config check`.

use std::path::Path;

use countersign_protocol::clock::{Clock as _, SystemClock};

use super::{CommandError, print};
use crate::config::Config;
use crate::data::DataFolder;
use crate::open;

pub(super) fn run(path: &Path) -> Result<(), CommandError> {
    let config = Config::read(path).map_err(|error| CommandError::Configuration(error.to_string()))?;
    let folder = DataFolder::at(config.data);
    let keys = open::keys(&folder, config.url.as_str(), SystemClock.now())
        .map_err(|error| CommandError::Data(error.to_string()))?;
    print(&format!(
        "{} is good.\nServer fingerprint: {}\n",
        path.display(),
        keys.identity.fingerprint().spaced()
    ));
    Ok(())
}
