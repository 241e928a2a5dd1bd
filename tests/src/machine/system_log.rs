//! A log daemon of the machine's own.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex, PoisonError};

use super::Machine;
use crate::trouble::{Attempt as _, Trouble};

/// A `/dev` of the machine's own, because the socket that programs log to lies in there.
const OWN_DEV: &str = "\
set -e
mkdir -p /run/own-dev
mount -t tmpfs -o mode=0755 tmpfs /run/own-dev
for name in null zero full random urandom tty ptmx; do cp -a \"/dev/$name\" /run/own-dev/; done
mkdir /run/own-dev/pts /run/own-dev/shm
mount --bind /dev/pts /run/own-dev/pts
mount -t tmpfs -o mode=1777 tmpfs /run/own-dev/shm
mount --move /run/own-dev /dev
";

/// Everything that was logged through `/dev/log`.
#[derive(Debug, Clone)]
pub struct SystemLog {
    lines: Arc<Mutex<Vec<u8>>>,
}

impl SystemLog {
    /// What was logged so far, one message a line.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&lines).into_owned()
    }
}

impl Machine {
    /// Gives the machine a `/dev/log`, and listens there. Programs that are to log to it are started afterwards.
    ///
    /// # Errors
    /// If the machine cannot have a `/dev` of its own.
    pub fn start_system_log(&self) -> Result<SystemLog, Trouble> {
        let what = || "give the machine a /dev of its own".to_owned();
        let made = self.command("sh").args(["-c", OWN_DEV]).output().attempt(what)?;
        if !made.status.success() {
            return Err(Trouble::Machine(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        let path = self.path("/dev/log");
        let listen = || format!("listen on {}", path.display());
        let socket = UnixDatagram::bind(&path).attempt(listen)?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .attempt(listen)?;
        let log = SystemLog { lines: Arc::default() };
        let lines = Arc::clone(&log.lines);
        // Ends with the test: nobody waits for it.
        std::thread::spawn(move || {
            let mut message = [0; 8192];
            while let Ok(length) = socket.recv(&mut message) {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.extend_from_slice(message.get(..length).unwrap_or_default());
                lines.push(b'\n');
            }
        });
        Ok(log)
    }
}
