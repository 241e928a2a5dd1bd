//! What the service manager hands over, and what it wants to hear: `LISTEN_FDS` and `NOTIFY_SOCKET`
//! (`sd_listen_fds(3)`, `sd_notify(3)`).

use std::os::fd::{FromRawFd as _, RawFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};

/// The first descriptor that is passed (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;

/// More are never ours: two sockets.
const MOST: i32 = 16;

/// Descriptors passed by the service manager, with the names of their socket units.
#[derive(Debug, Default)]
pub struct Passed {
    sockets: Vec<(String, RawFd)>,
    notify: Option<String>,
}

impl Passed {
    /// Reads the environment that the service manager made. Called once, first thing in `main`.
    ///
    /// The descriptors come without the close-on-exec mark: each gets it here, whether it is ever taken or not.
    ///
    /// # Errors
    /// A descriptor that was announced is not open.
    pub fn from_environment() -> std::io::Result<Self> {
        let notify = variable("NOTIFY_SOCKET");
        let ours = variable("LISTEN_PID").is_some_and(|pid| pid == std::process::id().to_string());
        let count: i32 = variable("LISTEN_FDS").and_then(|count| count.parse().ok()).unwrap_or(0);
        if !ours || !(1..=MOST).contains(&count) {
            return Ok(Self { sockets: Vec::new(), notify });
        }
        for fd in FIRST..FIRST + count {
            close_on_exec(fd)?;
        }
        let names = variable("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let sockets =
            (FIRST..FIRST + count).map(|fd| (names.next().unwrap_or_default().to_owned(), fd)).collect();
        Ok(Self { sockets, notify })
    }

    /// All passed descriptors, for [`crate::harden::first`] to leave open.
    #[must_use]
    pub fn all(&self) -> Vec<RawFd> {
        self.sockets.iter().map(|(_, fd)| *fd).collect()
    }

    /// Takes the socket whose unit has `FileDescriptorName=name`.
    pub fn take(&mut self, name: &str) -> Option<UnixListener> {
        let at = self.sockets.iter().position(|(have, _)| have == name)?;
        let (_, fd) = self.sockets.swap_remove(at);
        Some(adopt(fd))
    }

    /// Tells the service manager that requests are served from now on.
    ///
    /// # Errors
    /// The notification socket is named and cannot be reached.
    pub fn ready(&self) -> std::io::Result<()> {
        let Some(path) = &self.notify else { return Ok(()) };
        let address = match path.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(path)?,
        };
        UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address).map(|_| ())
    }
}

#[expect(clippy::disallowed_methods, reason = "the service manager speaks through the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(unsafe_code, reason = "a descriptor number from the service manager is marked")]
fn close_on_exec(fd: RawFd) -> std::io::Result<()> {
    // SAFETY: fcntl(2) with F_SETFD changes one flag of a descriptor and no memory; a number that is not open
    // is answered with EBADF.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[expect(unsafe_code, reason = "a descriptor number from the service manager becomes an owned socket")]
fn adopt(fd: RawFd) -> UnixListener {
    // SAFETY: sd_listen_fds(3): with LISTEN_PID naming this process, the descriptors from 3 on are open and
    // ours alone; each leaves `Passed` when it is taken, so it has one owner.
    unsafe { UnixListener::from_raw_fd(fd) }
}
