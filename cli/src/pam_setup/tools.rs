//! Programs of the system, run without a shell and with nothing of the caller's environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::failure::Failure;

const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Where a program lies, if it is installed.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

/// A command of the system.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", FOLDERS.join(":"))
        .env("LC_ALL", "C.UTF-8")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    command
}

/// Runs a program to its end; what it said if it did not end well.
pub(crate) fn run(name: &str, arguments: &[&str]) -> Result<Output, Failure> {
    let path = find(name).ok_or_else(|| {
        Failure::file(format!("{name} is not installed")).then("Install it, and run this again.")
    })?;
    let output = command(&path)
        .args(arguments)
        .output()
        .map_err(|error| Failure::file(format!("{} cannot be run: {error}", path.display())))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = if said.trim().is_empty() { String::from_utf8_lossy(&output.stdout) } else { said };
    Err(Failure::file(format!("{name} ended with {}: {}", output.status, said.trim())))
}
