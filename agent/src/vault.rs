//! Secrets at rest: sealed to this machine by `systemd-creds` where that works, else a file for root alone.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use countersign_protocol::ids::{CardIdent, Fingerprint};
use zeroize::Zeroizing;

use crate::state::{StateDir, StateError};

const TOOL: &str = "/usr/bin/systemd-creds";

/// Bound to this machine's TPM, and to nothing that its firmware measures: an update of the firmware, of Secure Boot's
/// lists or of the kernel would lock the host out. Without these words it is PCR 7, and PCR 11 where the kernel is signed.
const TO_NO_MEASUREMENT: [&str; 2] = ["--tpm2-pcrs=", "--tpm2-public-key-pcrs="];

/// A TPM takes a second or two; a tool that hangs must not hold up the agent's start.
const TIME: Duration = Duration::from_secs(10);

/// One secret, named by what it belongs to: the secrets of a key that is on its way in never take the place of those
/// of the key that is on its way out.
#[derive(Debug, Clone)]
pub struct Slot {
    /// The plain file; also what `systemd-creds` binds the secret to.
    name: String,
    sealed: String,
    /// As earlier versions sealed it, to what the firmware measures. Sealed anew when it is next opened.
    measured: String,
}

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
        "{0} does not open on this machine: {1}. If the machine's TPM or /var/lib/systemd/credential.secret was replaced, give the host a new key: countersign host replace"
    )]
    NotOpened(String, String),
}

impl Slot {
    /// The instance's own key, for hosts without a card.
    #[must_use]
    pub fn instance_key(instance: &Fingerprint) -> Self {
        Self::named(format!("instance-{instance}.key"))
    }

    /// Erases the keys of every instance but `keep`: of enrolments that came to nothing. Says whether there were any.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn erase_other_instance_keys(state: &StateDir, keep: &[Fingerprint]) -> Result<bool, VaultError> {
        let mut erased = false;
        for name in state.names()? {
            let instance = name.strip_prefix("instance-").and_then(|rest| rest.split_once(".key"));
            let Some(instance) = instance.and_then(|(instance, _)| instance.parse().ok()) else { continue };
            if !keep.contains(&instance) {
                Self::instance_key(&instance).erase(state)?;
                erased = true;
            }
        }
        Ok(erased)
    }

    /// The PINs of a card of this host.
    #[must_use]
    pub fn host_pins(card: CardIdent) -> Self {
        Self::named(format!("host-card-{}.pins", card.to_string().replace(':', "-")))
    }

    /// The names of the files it may lie in.
    #[must_use]
    pub fn files(&self) -> [String; 3] {
        [self.name.clone(), self.sealed.clone(), self.measured.clone()]
    }

    fn named(name: String) -> Self {
        Self { sealed: format!("{name}.sealed"), measured: format!("{name}.cred"), name }
    }

    /// Keeps `secret`, sealed if this machine can.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn store(&self, state: &StateDir, secret: &[u8]) -> Result<Protection, VaultError> {
        match self.seal(secret) {
            Ok(sealed) => {
                self.replace(state, &sealed)?;
                Ok(Protection::Sealed)
            }
            Err(why) => {
                state.write_bytes(&self.name, secret)?;
                state.remove(&self.sealed)?;
                state.remove(&self.measured)?;
                Ok(Protection::RootOnly { why })
            }
        }
    }

    /// A seal that cannot be opened again would lose the key: it is tried before it counts.
    fn seal(&self, secret: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
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
    pub fn load(&self, state: &StateDir) -> Result<Option<Kept>, VaultError> {
        for name in [&self.sealed, &self.measured] {
            let Some(sealed) = state.read_bytes(name)? else { continue };
            let secret =
                self.run("decrypt", &sealed).map_err(|why| VaultError::NotOpened(name.clone(), why))?;
            if name == &self.measured
                && let Ok(sealed) = self.seal(&secret)
            {
                // On a full disk it stays as it is, and good until the firmware changes.
                let _ = self.replace(state, &sealed);
            }
            return Ok(Some((secret, Protection::Sealed)));
        }
        let Some(secret) = state.read_bytes(&self.name)? else { return Ok(None) };
        // What could not be sealed once may be sealed now. If not, this says why; the secret that is there is good
        // as it is, also on a disk that is full.
        let sealed = self
            .seal(&secret)
            .and_then(|sealed| self.replace(state, &sealed).map_err(|error| error.to_string()));
        let protection = sealed.map_or_else(|why| Protection::RootOnly { why }, |()| Protection::Sealed);
        Ok(Some((secret, protection)))
    }

    fn replace(&self, state: &StateDir, sealed: &[u8]) -> Result<(), StateError> {
        state.write_bytes(&self.sealed, sealed)?;
        state.remove(&self.measured)?;
        state.remove(&self.name)
    }

    /// Removes it.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn erase(&self, state: &StateDir) -> Result<(), VaultError> {
        for name in self.files() {
            state.remove(&name)?;
        }
        Ok(())
    }

    fn run(&self, verb: &str, input: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
        if !Path::new("/run/systemd/system").is_dir() || !Path::new(TOOL).exists() {
            return Err("systemd-creds is not to be had here".to_owned());
        }
        run(self.command(verb), input, TIME)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(TOOL);
        command.env_clear().arg(verb);
        if verb == "encrypt" {
            command.args(TO_NO_MEASUREMENT);
        }
        command.args([&format!("--name={}", self.name), "-", "-"]);
        command
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
        let slot = Slot::host_pins("FFFE:0000AAAA".parse().unwrap());
        assert!(slot.load(&state).unwrap().is_none());
        let kept = slot.store(&state, b"secret").unwrap();
        let (secret, protection) = slot.load(&state).unwrap().unwrap();
        assert_eq!((secret.as_slice(), &protection), (b"secret".as_slice(), &kept));
        if let Some(why) = kept.not_sealed() {
            assert!(why.contains("systemd-creds") && kept.in_words().contains(why), "{kept:?}");
        }
        slot.erase(&state).unwrap();
        assert!(slot.load(&state).unwrap().is_none());
    }

    #[test]
    fn keys_of_enrolments_that_came_to_nothing_are_erased_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let [mine, stray]: [Fingerprint; 2] = ["AA", "BB"].map(|byte| byte.repeat(20).parse().unwrap());
        let pins = Slot::host_pins("FFFE:0000AAAA".parse().unwrap());
        for slot in [&Slot::instance_key(&mine), &Slot::instance_key(&stray), &pins] {
            slot.store(&state, b"secret").unwrap();
        }
        state.write("instance.json", &1).unwrap();
        assert!(Slot::erase_other_instance_keys(&state, std::slice::from_ref(&mine)).unwrap());
        assert!(Slot::instance_key(&stray).load(&state).unwrap().is_none());
        assert!(Slot::instance_key(&mine).load(&state).unwrap().is_some());
        assert!(pins.load(&state).unwrap().is_some() && state.path("instance.json").exists());
        assert!(!Slot::erase_other_instance_keys(&state, &[mine]).unwrap());
    }

    #[test]
    fn what_is_sealed_opens_after_an_update_of_the_firmware() {
        let slot = Slot::host_pins("FFFE:0000AAAA".parse().unwrap());
        let arguments = |verb| -> Vec<_> {
            slot.command(verb).get_args().map(|word| word.to_string_lossy().into_owned()).collect()
        };
        let name = "--name=host-card-FFFE-0000AAAA.pins";
        let encrypt = ["encrypt", "--tpm2-pcrs=", "--tpm2-public-key-pcrs=", name, "-", "-"];
        assert_eq!(arguments("encrypt"), encrypt, "systemd-creds(1): empty is no PCR at all, unset is PCR 7");
        assert_eq!(arguments("decrypt"), ["decrypt", name, "-", "-"]);
    }

    #[test]
    fn a_secret_that_is_sealed_to_the_firmware_is_found_and_not_forgotten_behind_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let slot = Slot::host_pins("FFFE:0000AAAA".parse().unwrap());
        state.write_bytes(&slot.measured, b"sealed by nobody").unwrap();
        let told = slot.load(&state).unwrap_err().to_string();
        assert!(told.contains(".cred ") && told.contains("host replace"), "{told}");
        slot.store(&state, b"secret").unwrap();
        assert_eq!(slot.load(&state).unwrap().unwrap().0.as_slice(), b"secret");
        assert!(!state.path(&slot.measured).exists());
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
