//! What people see when something is not as it should be, and who gets in all the same.

use countersign_tests::Trouble;

use crate::stage::{ANA, BOB, PIN, ROOT, Stage};

/// The card is pulled while its PIN is asked for, and there is none at the next login.
pub(crate) fn no_card(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let console = &mut stage.console;
    console.name("ana")?;
    console.question("PIN for")?;
    console.note("pulls the card");
    stage.anas_card.pull()?;
    stage.debian.wait_for(&stage.anas_card)?;
    let console = &mut stage.console;
    console.hidden(PIN)?;
    console.name("ana")?;
    console.question("Insert the card")?;
    console.note("puts the card in");
    stage.anas_card.insert()?;
    stage.debian.wait_for(&stage.anas_card)?;
    let console = &mut stage.console;
    console.press("Enter", b"\n")?;
    console.answer(&[("PIN for", PIN)])?;
    console.let_in("ana")?;
    console.logout()
}

/// The agent is stopped, for good.
pub(crate) fn no_agent(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    stage
        .debian
        .administer("systemctl stop countersignd.service countersign-pam.socket countersign-user.socket")?;
    let console = &mut stage.console;
    console.note("the agent is stopped");
    console.name("ana")?;
    console.login("bob", &[("Password: ", BOB)])?;
    console.logout()?;
    console.login("root", &[("Password: ", ROOT)])?;
    console.run("sed -i 's/user ana card/user ana card-or-password/' /etc/countersign/managed", &[])?;
    console.logout()?;
    console.login("ana", &[("Password: ", ANA)])?;
    console.logout()?;
    console.note("the agent is started");
    stage.debian.administer(
        "systemctl start countersignd.service; sed -i 's/card-or-password/card/' /etc/countersign/managed",
    )?;
    let console = &mut stage.console;
    console.login("ana", &[("PIN for", PIN)])?;
    console.logout()
}

/// Somebody deletes the module: only root gets in, at the console, and puts it back.
pub(crate) fn no_module(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    stage.debian.administer("mv /usr/lib/*/security/pam_countersign.so /root")?;
    let console = &mut stage.console;
    console.note("the module is deleted");
    console.name("ana")?;
    console.name("bob")?;
    console.login("root", &[("Password: ", ROOT)])?;
    console.run("countersign pam status", &[])?;
    console.run("mv pam_countersign.so /usr/lib/*-linux-gnu/security", &[])?;
    console.logout()?;
    console.login("ana", &[("PIN for", PIN)])?;
    console.logout()
}

/// The units that Countersign ships, seen by systemd.
pub(crate) fn units(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let console = &mut stage.console;
    console.login("root", &[("Password: ", ROOT)])?;
    console.run("systemctl --failed --no-legend", &[])?;
    let units =
        "countersignd.service countersign-pam.socket countersign-user.socket countersign-server.service";
    console.run(&format!("systemd-analyze verify --man=no {units}"), &[])?;
    console.run("systemd-analyze security --no-pager countersignd.service | tail -1", &[])?;
    console.run("systemd-analyze security --no-pager countersign-server.service | tail -1", &[])?;
    console.run("ps -o user:20,comm -C countersignd,countersign-cou,countersign-ser --no-headers", &[])?;
    console.run("stat -c '%A %U %n' /run/countersign/*", &[])?;
    console.logout()
}
