//! Where things lie, and cargo in them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::Stop;

/// The workspace's root, from where this program was built.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The build folder: this program lies in `PROFILE/` below it.
pub(crate) fn target() -> Result<PathBuf, Stop> {
    let own = std::env::current_exe()
        .map_err(|error| Stop::Failed(format!("the build folder could not be found: {error}")))?;
    own.ancestors()
        .nth(2)
        .map(Path::to_owned)
        .ok_or_else(|| Stop::Failed(format!("{} does not lie in a build folder", own.display())))
}

/// Cargo, at the root. Without colours, whatever the caller's settings: its lines are read.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(words).current_dir(root()).env("CARGO_TERM_COLOR", "never");
    command
}
