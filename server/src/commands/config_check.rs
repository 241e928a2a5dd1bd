//! `countersign-server config check`.

use std::path::Path;

use crate::config::Config;

use super::{CommandError, own_files, print};

pub(super) fn run(path: &Path) -> Result<(), CommandError> {
    let wrong = |error: &dyn std::fmt::Display| CommandError::Configuration(error.to_string());
    Config::read(path).map_err(|error| wrong(&error))?.policy_text().map_err(|error| wrong(&error))?;
    let (_, keys) = own_files::keys(path)?;
    print(&format!(
        "{} is good.\nServer fingerprint: {}\n",
        path.display(),
        keys.identity.fingerprint().spaced()
    ));
    Ok(())
}
