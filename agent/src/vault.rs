//! Secrets at rest: sealed to this machine by `systemd-creds` where that works, else a file for root alone.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::state::{StateDir, StateError};

const TOOL: &str = "/usr/bin/systemd-creds";

/// A TPM takes a second or two; a tool that hangs must not hold up the agent's start.
const TIME: Duration = Duration::from_secs(10);

/// The names of one secret: as credential, as sealed file, as plain file.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    /// What `systemd-creds` binds it to.
    name: &'static str,
    sealed: &'static str,
    plain: &'static str,
}

/// The instance's own key, for hosts without a card.
pub const INSTANCE_KEY: Slot =
    Slot { name: "countersign-instance-key", sealed: "instance.key.cred", plain: "instance.key" };

/// The PINs of the host's card.
pub const HOST_PINS: Slot =
    Slot { name: "countersign-host-pins", sealed: "host-card.pins.cred", plain: "host-card.pins" };

/// How a secret lies on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protection {
    /// Only this machine can open it.
    Sealed,
    /// Whoever has the disk has it.
    RootOnly {
        /// Why it could not be sealed.
        why: String,
    },
}

impl Protection {
    /// For `status`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Sealed => "file sealed to this machine (systemd-creds)".to_owned(),
            Self::RootOnly { why } => {
                format!("file readable by root only, not sealed ({why}): whoever copies the disk has it")
            }
        }
    }

    /// Why it is not sealed, for the log.
    #[must_use]
    pub fn not_sealed(&self) -> Option<&str> {
        match self {
            Self::Sealed => None,
            Self::RootOnly { why } => Some(why),
        }
    }
}

/// A secret, and how it lay on the disk.
pub type Kept = (Zeroizing<Vec<u8>>, Protection);

/// A secret could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// It was sealed, and does not open.
    #[error(
        "{0} does not open on this machine: {1}. If the machine's TPM or /var/lib/systemd/credential.secret was replaced, enrol this host again"
    )]
    NotOpened(&'static str, String),
}

impl Slot {
    /// Keeps `secret`, sealed if this machine can.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn store(self, state: &StateDir, secret: &[u8]) -> Result<Protection, VaultError> {
        match self.seal(secret) {
            Ok(sealed) => {
                state.write_bytes(self.sealed, &sealed)?;
                state.remove(self.plain)?;
                Ok(Protection::Sealed)
            }
            Err(why) => {
                state.write_bytes(self.plain, secret)?;
                state.remove(self.sealed)?;
                Ok(Protection::RootOnly { why })
            }
        }
    }

    /// A seal that cannot be opened again would lose the key: it is tried before it counts.
    fn seal(self, secret: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        let sealed = self.run("encrypt", secret)?;
        if *self.run("decrypt", &sealed)? == secret {
            return Ok(sealed);
        }
        Err("systemd-creds opens another secret than it sealed".to_owned())
    }

    /// The secret, if there is one, and how it is kept; one that is not sealed is, if that works by now.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn load(self, state: &StateDir) -> Result<Option<Kept>, VaultError> {
        if let Some(sealed) = state.read_bytes(self.sealed)? {
            let secret =
                self.run("decrypt", &sealed).map_err(|why| VaultError::NotOpened(self.sealed, why))?;
            return Ok(Some((secret, Protection::Sealed)));
        }
        let Some(secret) = state.read_bytes(self.plain)? else { return Ok(None) };
        // What could not be sealed once may be sealed now. If not, this says why.
        let protection = self.store(state, &secret)?;
        Ok(Some((secret, protection)))
    }

    /// Removes it.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn erase(self, state: &StateDir) -> Result<(), VaultError> {
        state.remove(self.sealed)?;
        Ok(state.remove(self.plain)?)
    }

    fn run(self, verb: &str, input: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        if !Path::new("/run/systemd/system").is_dir() || !Path::new(TOOL).exists() {
            return Err("systemd-creds is not to be had here".to_owned());
        }
        let mut command = Command::new(TOOL);
        command.args([verb, &format!("--name={}", self.name), "-", "-"]).env_clear();
        run(command, input, TIME)
    }
}

/// One run of a tool, through pipes: the secret is on no command line and in no temporary file. What is
/// written and read is smaller than a pipe (64 KiB), so neither side waits for the other.
fn run(mut command: Command, input: &[u8], time: Duration) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |error: std::io::Error| format!("systemd-creds: {error}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    crate::harden::pass_on_nothing(&mut command);
    let deadline = Instant::now() + time;
    let mut child = command.spawn().map_err(failed)?;
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    while child.try_wait().map_err(failed)?.is_none() {
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("systemd-creds did not end within {} s", time.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().map_err(failed)?;
    let stdout = Zeroizing::new(output.stdout);
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let told: String =
            told.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        return Err(format!(
            "systemd-creds: {}",
            if told.is_empty() { "failed without a word" } else { &told }
        ));
    }
    written.map_err(failed)?;
    Ok(stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_and_is_erased() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        assert!(INSTANCE_KEY.load(&state).unwrap().is_none());
        let kept = INSTANCE_KEY.store(&state, b"secret").unwrap();
        let (secret, protection) = INSTANCE_KEY.load(&state).unwrap().unwrap();
        assert_eq!((secret.as_slice(), &protection), (b"secret".as_slice(), &kept));
        if let Some(why) = kept.not_sealed() {
            assert!(why.contains("systemd-creds") && kept.in_words().contains(why), "{kept:?}");
        }
        INSTANCE_KEY.erase(&state).unwrap();
        assert!(INSTANCE_KEY.load(&state).unwrap().is_none());
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_sealing_tool_that_hangs_is_ended_and_one_that_fails_says_why() {
        let begun = Instant::now();
        let time = Duration::from_millis(200);
        let told = run(shell("exec sleep 60"), b"secret", time).unwrap_err();
        assert!(told.contains("did not end") && begun.elapsed() < Duration::from_secs(20), "{told}");
        let told = run(shell("echo no key >&2; exit 1"), b"secret", TIME).unwrap_err();
        assert_eq!(told, "systemd-creds: no key");
        assert_eq!(run(shell("exec cat"), b"secret", TIME).unwrap().as_slice(), b"secret");
    }
}
