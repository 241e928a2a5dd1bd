//! Secrets at rest: sealed to this machine by `systemd-creds` where that works, else a file for root alone.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::state::{StateDir, StateError};

const TOOL: &str = "/usr/bin/systemd-creds";

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Only this machine can open it.
    Sealed,
    /// Whoever has the disk and root has it.
    RootOnly,
}

impl Protection {
    /// For `status`.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Sealed => "file sealed to this machine (systemd-creds)",
            Self::RootOnly => "file readable by root only, not sealed: whoever copies the disk has it",
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
        // A seal that cannot be opened again would lose the key: it is tried before it counts.
        let sealed = self.run("encrypt", secret).ok();
        let sealed = sealed.filter(|sealed| self.run("decrypt", sealed).is_ok_and(|again| *again == secret));
        if let Some(sealed) = sealed {
            state.write_bytes(self.sealed, &sealed)?;
            state.remove(self.plain)?;
            return Ok(Protection::Sealed);
        }
        state.write_bytes(self.plain, secret)?;
        state.remove(self.sealed)?;
        Ok(Protection::RootOnly)
    }

    /// The secret, if there is one, and how it was kept.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn load(self, state: &StateDir) -> Result<Option<Kept>, VaultError> {
        if let Some(sealed) = state.read_bytes(self.sealed)? {
            let secret =
                self.run("decrypt", &sealed).map_err(|why| VaultError::NotOpened(self.sealed, why))?;
            return Ok(Some((secret, Protection::Sealed)));
        }
        Ok(state.read_bytes(self.plain)?.map(|secret| (secret, Protection::RootOnly)))
    }

    /// Removes it.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn erase(self, state: &StateDir) -> Result<(), VaultError> {
        state.remove(self.sealed)?;
        Ok(state.remove(self.plain)?)
    }

    /// One run of the tool, through pipes: the secret is on no command line and in no temporary file.
    fn run(self, verb: &str, input: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        if !Path::new("/run/systemd/system").is_dir() || !Path::new(TOOL).exists() {
            return Err("systemd-creds is not to be had here".to_owned());
        }
        let mut child = Command::new(TOOL)
            .args([verb, &format!("--name={}", self.name), "-", "-"])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input).map_err(|error| error.to_string())?;
        }
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        let stdout = Zeroizing::new(output.stdout);
        if output.status.success() {
            Ok(stdout)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    }
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
        assert_eq!((secret.as_slice(), protection), (b"secret".as_slice(), kept));
        INSTANCE_KEY.erase(&state).unwrap();
        assert!(INSTANCE_KEY.load(&state).unwrap().is_none());
    }
}
