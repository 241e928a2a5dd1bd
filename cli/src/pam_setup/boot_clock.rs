//! Time since this boot: no turned clock keeps a change alive or ends it early.

use nix::time::{ClockId, clock_gettime};

use crate::failure::Failure;

/// Seconds since this host booted, suspended ones included.
pub(crate) fn seconds() -> Result<i64, Failure> {
    match clock_gettime(ClockId::CLOCK_BOOTTIME) {
        Ok(time) => Ok(time.tv_sec()),
        Err(error) => Err(Failure::file(format!("the kernel does not tell the time: {error}"))),
    }
}

/// Which boot this is.
pub(crate) fn boot() -> Result<String, Failure> {
    const PATH: &str = "/proc/sys/kernel/random/boot_id";
    let text = std::fs::read_to_string(PATH).map_err(|error| {
        Failure::file(format!("{PATH} cannot be read: {error}")).then("Is /proc mounted?")
    })?;
    Ok(text.trim().to_owned())
}
