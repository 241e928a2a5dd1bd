//! `/etc/sudoers.d/countersign`: sudo remembers nobody who needs a card.

use std::path::Path;

use countersign_protocol::ids::LoginName;

use super::tools::{command, find};
use crate::failure::Failure;

/// The file. A dot in its name would hide it from sudo.
pub(crate) const PATH: &str = "/etc/sudoers.d/countersign";

/// sudo insists on it.
pub(crate) const MODE: u32 = 0o440;

/// Whether sudo is here and reads that folder.
pub(crate) fn is_wanted() -> bool {
    find("visudo").is_some() && Path::new("/etc/sudoers.d").is_dir()
}

/// Its text for these logins.
pub(crate) fn text(logins: &[LoginName]) -> String {
    let mut text = String::from(
        "# By `countersign pam enable`: within its timestamp sudo would not ask for the card, and the account check\n\
         # would refuse what was not asked for.\n",
    );
    for login in logins {
        text.push_str(&format!("Defaults:{} timestamp_timeout=0\n", escaped(login.as_str())));
    }
    text
}

/// Has visudo read a file before sudo does. A sudoers file with a mistake stops sudo for everybody.
pub(crate) fn check(path: &Path) -> Result<(), Failure> {
    let Some(visudo) = find("visudo") else { return Ok(()) };
    let output = command(&visudo)
        .args(["-c", "-f"])
        .arg(path)
        .output()
        .map_err(|error| Failure::file(format!("visudo cannot be run: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::file(format!("visudo does not take the lines for sudo: {}", said.trim()))
        .then("Nothing was changed. Please report this with the names of the users."))
}

/// Everything but letters, digits and a few more means something to sudo.
fn escaped(login: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || ['.', '_', '-'].contains(&c);
    login.chars().map(|c| if plain(c) { c.to_string() } else { format!("\\{c}") }).collect()
}
