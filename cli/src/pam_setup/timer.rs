//! Who puts everything back when nobody confirms: not this process, nor anything that dies with its terminal.

use std::path::Path;
use std::process::Stdio;

use super::tools::{command, find};
use crate::exit::Exit;
use crate::failure::Failure;

/// Puts PAM back at the next boot, if nobody has confirmed until then.
const AT_BOOT: &str = "countersign-pam-revert.service";

/// Sees to it that a reboot puts back what nobody confirmed.
pub(crate) fn arm_for_boot() -> Result<(), Failure> {
    let Some(systemctl) = find("systemctl").filter(|_| is_systemd_s()) else { return Ok(()) };
    let enabled = command(&systemctl).args(["--quiet", "enable", AT_BOOT]).output();
    if enabled.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    Err(Failure::file(format!("{AT_BOOT} is not installed, so a reboot would not put PAM back")).then(
        "Install it with the other units (systemd/), run: systemctl daemon-reload, and run this again.",
    ))
}

/// Whether systemd is the first process here.
fn is_systemd_s() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Has `countersign pam revert --if-due` run in so many seconds.
pub(crate) fn arm(seconds: i64) -> Result<(), Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::file(format!("the path of this program cannot be told: {error}")))?;
    match find("systemd-run").filter(|_| is_systemd_s()) {
        Some(run) => systemd(&run, &program, seconds),
        None => detached(&program),
    }
}

/// The first process keeps the time.
fn systemd(run: &Path, program: &Path, seconds: i64) -> Result<(), Failure> {
    // A second more than the deadline: it would find itself too early otherwise.
    let delay = format!("--on-active={}s", seconds.saturating_add(1));
    let output = command(run)
        .args(["--quiet", "--collect", "--timer-property=AccuracySec=1s", &delay])
        .args(["--property=Restart=on-failure", "--property=RestartSec=15s"])
        // Something is left to do by hand, which trying again does not do.
        .arg(format!("--property=SuccessExitStatus={}", Exit::Attention.code()))
        .arg("--description=Put PAM back unless it was confirmed")
        .arg(program)
        .args(["pam", "revert", "--if-due"])
        .output()
        .map_err(|error| Failure::file(format!("{} cannot be run: {error}", run.display())))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::file(format!("systemd-run did not set a timer: {}", said.trim()))
        .then("Nothing was changed. See: systemctl status"))
}

/// A process in a session of its own, without a terminal.
fn detached(program: &Path) -> Result<(), Failure> {
    command(program)
        .args(["pam", "revert", "--when-due"])
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(drop)
        .map_err(|error| Failure::file(format!("{} cannot be started: {error}", program.display())))
}
