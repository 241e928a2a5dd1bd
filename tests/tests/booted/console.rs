//! At the console.

use countersign_tests::Trouble;

use crate::stage::{PIN, Stage, WRONG};

/// A wrong PIN, and then the right one.
pub(crate) fn login(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let console = &mut stage.console;
    console.name("ana")?;
    console.answer(&[("PIN for", WRONG)])?;
    console.login("ana", &[("PIN for", PIN)])?;
    console.run("loginctl", &[])?;
    // Their own systemd is started by a service that asks nobody.
    console.run("systemctl --user is-system-running", &[])?;
    console.run("countersign status", &[])?;
    console.run("countersign journal", &[])?;
    console.logout()
}
