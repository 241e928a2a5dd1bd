//! Reading the root-owned file that says who needs a card: the first thing a hook does, and for a login that
//! it does not name also the last.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use countersign_protocol::managed::{self, Managed, ManagedError, Rule, UnclearName};

/// Proof that the file, read in full, does not name a login. Minted only in this file; without it there is no
/// `PAM_IGNORE`.
#[must_use]
pub(crate) struct Unmanaged(());

/// What the file asks of a login.
#[must_use]
pub(crate) enum Demand {
    /// Nothing.
    Nothing(Unmanaged),
    /// A card.
    Card {
        /// A password will do while the agent cannot be reached.
        password_allowed: bool,
    },
}

/// Why the file cannot be relied on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManagedFileError {
    /// It is there, but cannot be read.
    #[error("cannot be read: {0}. Make it a plain file, mode 0644, owned by root")]
    Unreadable(#[from] io::Error),
    /// A folder, a pipe, a device.
    #[error("is not a regular file. Make it a plain file, mode 0644, owned by root")]
    NotAFile,
    /// Someone else may have written it.
    #[error("belongs to user id {0}, not to root. Look at its content, then: chown root:root")]
    NotRoots(u32),
    /// Someone else may write it.
    #[error("can be written by others than root (mode {0:04o}). Look at its content, then: chmod 0644")]
    Writable(u32),
    /// Over [`managed::SIZE`].
    #[error("is larger than {max} bytes", max = managed::SIZE)]
    TooLarge,
    /// Not UTF-8.
    #[error("is not UTF-8 text")]
    NotText,
    /// A line that is not a rule.
    #[error(transparent)]
    Line(#[from] ManagedError),
}

/// Reads it. `None`: there is none, and so nobody is managed.
pub(crate) fn read(path: &Path) -> Result<Option<Managed>, ManagedFileError> {
    // O_NONBLOCK: a pipe put here must not hang every login; what is opened is checked below.
    let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => read_checked(file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What an absent file or a file's rules ask of a login.
pub(crate) fn demand<'m>(managed: Option<&'m Managed>, login: &str) -> Result<Demand, UnclearName<'m>> {
    let Some(managed) = managed else { return Ok(Demand::Nothing(Unmanaged(()))) };
    Ok(match managed.rule(login)? {
        Rule::Unmanaged => Demand::Nothing(Unmanaged(())),
        Rule::Card => Demand::Card { password_allowed: false },
        Rule::CardOrPassword => Demand::Card { password_allowed: true },
    })
}

impl Unmanaged {
    /// No file at all: no login is managed, whoever it is.
    pub(crate) fn without_file(managed: Option<&Managed>) -> Option<Self> {
        managed.is_none().then_some(Self(()))
    }

    #[cfg(test)]
    pub(crate) const fn for_tests() -> Self {
        Self(())
    }
}

/// Checks the file that was opened, not the path: nobody can change it in between.
fn read_checked(file: File) -> Result<Managed, ManagedFileError> {
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(ManagedFileError::NotAFile);
    }
    if meta.uid() != 0 {
        return Err(ManagedFileError::NotRoots(meta.uid()));
    }
    if meta.mode() & 0o022 != 0 {
        return Err(ManagedFileError::Writable(meta.mode() & 0o7777));
    }
    let mut bytes = Vec::new();
    let read = file.take(managed::SIZE + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read > managed::SIZE) {
        return Err(ManagedFileError::TooLarge);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| ManagedFileError::NotText)?;
    Ok(Managed::parse(text)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn folder_with(text: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("managed");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::chown(&path, Some(0), Some(0)).expect("these tests run as root");
        (folder, path)
    }

    #[test]
    fn a_missing_file_manages_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let managed = read(&folder.path().join("managed")).unwrap();
        assert!(managed.is_none());
        assert!(matches!(demand(managed.as_ref(), "root"), Ok(Demand::Nothing(_))));
    }

    #[test]
    fn the_file_of_root_is_read() {
        let (_folder, path) = folder_with(b"user ana card\nuser bob card-or-password\n");
        let managed = read(&path).unwrap();
        assert!(matches!(demand(managed.as_ref(), "ana"), Ok(Demand::Card { password_allowed: false })));
        assert!(matches!(demand(managed.as_ref(), "bob"), Ok(Demand::Card { password_allowed: true })));
        assert!(matches!(demand(managed.as_ref(), "root"), Ok(Demand::Nothing(_))));
    }

    #[test]
    fn a_file_that_others_could_have_written_is_refused() {
        let (_folder, path) = folder_with(b"user ana card\n");
        for mode in [0o664, 0o646, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read(&path), Err(ManagedFileError::Writable(_))), "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::chown(&path, Some(1), Some(1)).unwrap();
        assert!(matches!(read(&path), Err(ManagedFileError::NotRoots(1))));
    }

    #[test]
    fn what_is_not_a_plain_file_is_refused_without_hanging() {
        let (folder, path) = folder_with(b"");
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(read(&link), Err(ManagedFileError::Unreadable(_))));
        assert!(matches!(read(folder.path()), Err(ManagedFileError::NotAFile)));
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(read(&pipe), Err(ManagedFileError::NotAFile)));
        assert!(matches!(read(Path::new("/dev/null")), Err(ManagedFileError::NotAFile)));
    }

    #[test]
    fn a_file_that_is_not_understood_is_an_error_and_not_an_empty_one() {
        let (_folder, path) = folder_with(b"user ana\n");
        assert!(matches!(read(&path), Err(ManagedFileError::Line(_))));
        fs::write(&path, b"# \xff\n").unwrap();
        assert!(matches!(read(&path), Err(ManagedFileError::NotText)));
        let longest = usize::try_from(managed::SIZE).unwrap();
        fs::write(&path, vec![b'\n'; longest + 1]).unwrap();
        assert!(matches!(read(&path), Err(ManagedFileError::TooLarge)));
        fs::write(&path, vec![b'\n'; longest]).unwrap();
        assert!(read(&path).unwrap().is_some());
    }
}
