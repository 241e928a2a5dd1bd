//! `countersign-server config check`.

use std::path::Path;

use super::{CommandError, own_files, print};

pub(super) fn run(path: &Path) -> Result<(), CommandError> {
    let (_, keys) = own_files::keys(path)?;
    print(&format!(
        "{} is good.\nServer fingerprint: {}\n",
        path.display(),
        keys.identity.fingerprint().spaced()
    ));
    Ok(())
}
