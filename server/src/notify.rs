//! What systemd is told: the protocol of `sd_notify(3)`, datagrams to the socket that it names.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Tells systemd, if it listens. Nobody else depends on it, so that an error is none.
pub fn tell(state: &str) {
    let Some(path) = told_by_systemd("NOTIFY_SOCKET") else { return };
    let path = path.as_encoded_bytes();
    let address = match path.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(std::path::Path::new(std::ffi::OsStr::new(
            &*String::from_utf8_lossy(path),
        ))),
    };
    let sent = UnixDatagram::unbound().and_then(|socket| socket.send_to_addr(state.as_bytes(), &address?));
    let _nobody_listens = sent;
}

/// How often systemd wants to hear that we are alive: twice in the time that it gives us.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    let of = |name: &str| told_by_systemd(name)?.to_str()?.parse::<u64>().ok();
    let ours = of("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let time = of("WATCHDOG_USEC").filter(|time| ours && *time > 0)?;
    Some(Duration::from_micros(time / 2))
}

/// Whether standard error is read by the journal, which wants to know how much a line matters.
#[must_use]
pub fn journal_listens() -> bool {
    told_by_systemd("JOURNAL_STREAM").is_some()
}

#[expect(clippy::disallowed_methods, reason = "systemd tells a service so; nothing is decided by it")]
fn told_by_systemd(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}
