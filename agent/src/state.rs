//! What the agent must not forget: small files below `/var/lib/countersign`, for root only.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// Larger files are not ours.
const SIZE: u64 = 16 * 1024 * 1024;

/// How the name of a file ends that is not whole yet.
const HALF_WRITTEN: &str = ".new";

/// The folder.
#[derive(Debug, Clone)]
pub struct StateDir {
    path: PathBuf,
}

/// State cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refused.
    #[error("{path}: {why}{}", advice(why))]
    Io {
        /// The file.
        path: String,
        /// The system's reason.
        why: io::Error,
    },
    /// Somebody else may read or write it.
    #[error(
        "{path}: belongs to user {uid} with mode {mode:04o}; it must belong to root alone. Run: chown root:root {path} && chmod go-rwx {path}"
    )]
    Unsafe {
        /// The file or folder.
        path: String,
        /// Its owner.
        uid: u32,
        /// Its mode.
        mode: u32,
    },
    /// Not what the agent wrote.
    #[error("{path}: damaged ({why}). {}", remedy(path))]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// What to do about it, where that can be said.
fn advice(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ". Make room on this disk, and try again"
        }
        io::ErrorKind::ReadOnlyFilesystem => ". Have the disk checked and mounted for writing, and try again",
        _ => "",
    }
}

/// What to do about a file that is damaged. The agent does not run without it: nothing that asks the agent helps.
fn remedy(path: &str) -> &'static str {
    if path.ends_with("/rotation.json") {
        "It is of a change of this host's key that was interrupted. Move it away and run: systemctl start countersignd. The host goes on with the key that it had; if the server has taken the new one already, then: countersign host replace"
    } else {
        "Restore it from a backup; or move it away, run: systemctl start countersignd, and see what is missing: countersign status"
    }
}

impl StateDir {
    /// Opens the folder, making it if it is not there.
    ///
    /// # Errors
    /// [`StateError`]; also if it is not root's alone.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let io = |why| StateError::Io { path: path.display().to_string(), why };
        if !path.exists() {
            fs::create_dir_all(path).map_err(io)?;
            fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(io)?;
        }
        let metadata = fs::metadata(path).map_err(io)?;
        // A folder that the package or an administrator made may be readable; its files are not.
        if metadata.uid() != nix::unistd::geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
            return Err(not_roots(path, &metadata));
        }
        let state = Self { path: path.to_owned() };
        // Of writes that broke off: nobody reads them, and they may hold secrets.
        for name in state.names()?.iter().filter(|name| name.ends_with(HALF_WRITTEN)) {
            state.remove(name)?;
        }
        Ok(state)
    }

    /// Where a file of this name lies.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads a value; `None` if it was never written.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let Some(bytes) = self.read_bytes(name)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| StateError::Damaged {
            path: self.path(name).display().to_string(),
            why: error.to_string(),
        })
    }

    /// Reads a value that the agent can do without; `None` if it was never written. A damaged one is set aside, and
    /// the second value says so.
    ///
    /// # Errors
    /// [`StateError`], for any other reason.
    pub fn read_or_set_aside<T: DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<(Option<T>, Option<String>), StateError> {
        match self.read(name) {
            Ok(value) => Ok((value, None)),
            Err(StateError::Damaged { path, why }) => {
                // A disk that cannot be written keeps it where it is: then it is read past at the next start as well.
                let moved = fs::rename(&path, format!("{path}.damaged"));
                let moved = moved.map_or("", |()| " It was renamed to end in .damaged.");
                Ok((None, Some(format!("{path}: damaged ({why}).{moved} A new one is begun."))))
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a value; when this returns it is on the disk, whole.
    ///
    /// # Errors
    /// [`StateError`]; the old value is still there then.
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StateError> {
        let bytes = Zeroizing::new(serde_json::to_vec(value).map_err(|error| StateError::Damaged {
            path: self.path(name).display().to_string(),
            why: error.to_string(),
        })?);
        self.write_bytes(name, &bytes)
    }

    /// Reads a file; `None` if it is not there. The bytes are wiped when they go.
    ///
    /// # Errors
    /// [`StateError`]; also if somebody other than root could have written or read it.
    pub fn read_bytes(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StateError> {
        let path = self.path(name);
        let io = |why| StateError::Io { path: path.display().to_string(), why };
        let opened = File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(&path);
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(io)?,
        };
        let metadata = file.metadata().map_err(io)?;
        if metadata.uid() != nix::unistd::geteuid().as_raw() || metadata.mode() & 0o077 != 0 {
            return Err(not_roots(&path, &metadata));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0)));
        file.take(SIZE).read_to_end(&mut bytes).map_err(io)?;
        Ok(Some(bytes))
    }

    /// Writes a file; when this returns it is on the disk, whole, for root only.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn write_bytes(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.path(name);
        let fresh = self.path.join(format!("{name}{HALF_WRITTEN}"));
        let io = |why| StateError::Io { path: path.display().to_string(), why };
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(&fresh)
            .map_err(io)?;
        file.write_all(bytes).map_err(io)?;
        file.sync_all().map_err(io)?;
        fs::rename(&fresh, &path).map_err(io)?;
        self.sync().map_err(io)
    }

    /// Removes a file, for good.
    ///
    /// # Errors
    /// [`StateError`]; a file that is not there is none.
    pub fn remove(&self, name: &str) -> Result<(), StateError> {
        let path = self.path(name);
        let io = |why| StateError::Io { path: path.display().to_string(), why };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io(error)),
            _ => self.sync().map_err(io),
        }
    }

    /// Copies files into a folder beside them, for root only. One that is not there is left out.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn copy_aside(&self, folder: &str, names: &[String]) -> Result<(), StateError> {
        let aside = Self { path: self.path.join(folder) };
        let io = |why| StateError::Io { path: aside.path.display().to_string(), why };
        fs::create_dir_all(&aside.path).map_err(io)?;
        fs::set_permissions(&aside.path, Permissions::from_mode(0o700)).map_err(io)?;
        for name in names {
            if let Some(bytes) = self.read_bytes(name)? {
                aside.write_bytes(name, &bytes)?;
            }
        }
        self.sync().map_err(io)
    }

    /// The names of all files.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn names(&self) -> Result<Vec<String>, StateError> {
        let io = |why| StateError::Io { path: self.path.display().to_string(), why };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(io)? {
            names.extend(entry.map_err(io)?.file_name().into_string());
        }
        Ok(names)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

fn not_roots(path: &Path, metadata: &fs::Metadata) -> StateError {
    StateError::Unsafe {
        path: path.display().to_string(),
        uid: metadata.uid(),
        mode: metadata.mode() & 0o7777,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_replaced_whole_and_readable_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        assert_eq!(state.read::<u64>("counter").unwrap(), None);
        state.write("counter", &1).unwrap();
        state.write("counter", &2).unwrap();
        assert_eq!(state.read::<u64>("counter").unwrap(), Some(2));
        assert_eq!(fs::metadata(state.path("counter")).unwrap().mode() & 0o777, 0o600);
        assert!(!folder.path().join("counter.new").exists());
    }

    #[test]
    fn what_a_write_that_broke_off_left_is_erased_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key.new"), b"half a sec").unwrap();
        fs::write(folder.path().join("key"), b"whole").unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        assert_eq!(state.names().unwrap(), ["key"]);
    }

    #[test]
    fn a_damaged_file_that_can_be_done_without_is_set_aside_and_any_other_says_what_helps() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        for name in ["services.json", "rotation.json", "instance.json"] {
            state.write_bytes(name, b"{ half").unwrap();
        }
        let (value, told) = state.read_or_set_aside::<u64>("services.json").unwrap();
        assert!(value.is_none() && told.unwrap().contains("services.json: damaged"));
        assert_eq!(fs::read(state.path("services.json.damaged")).unwrap(), b"{ half");
        assert_eq!(state.read_or_set_aside::<u64>("services.json").unwrap(), (None, None));
        state.write("services.json", &7).unwrap();
        assert_eq!(state.read_or_set_aside::<u64>("services.json").unwrap(), (Some(7), None));
        // Nothing that needs a running agent comes first.
        for (name, then) in [("rotation.json", "host replace"), ("instance.json", "countersign status")] {
            let told = state.read::<u64>(name).unwrap_err().to_string();
            let (start, then) = (told.find("systemctl start countersignd"), told.find(then));
            assert!(start.is_some() && start < then, "{told}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        state.write("key", &1).unwrap();
        fs::set_permissions(state.path("key"), Permissions::from_mode(0o640)).unwrap();
        let told = state.read::<u64>("key").unwrap_err().to_string();
        assert!(told.contains("0640") && told.contains("chmod go-rwx"), "{told}");
    }

    #[test]
    fn a_damaged_file_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        state.write_bytes("counter", b"{").unwrap();
        assert!(state.read::<u64>("counter").unwrap_err().to_string().contains("countersign status"));
    }
}
