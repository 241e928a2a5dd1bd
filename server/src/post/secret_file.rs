//! Passwords and keys of others, in files that nobody else may read.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Largest file: a password, or a few headers.
const SIZE: u64 = 16 * 1024;

/// A secret file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// Not readable.
    #[error("{}: {error}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Others may read it.
    #[error("{path} can be read by others, or belongs to somebody else; run: chown root {path}; chmod 600 {path}", path = .path.display())]
    TooOpen {
        /// Which.
        path: PathBuf,
    },
    /// Not text of the kind that was expected.
    #[error("{}: {what}", .path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// A name without a slash, where systemd gave no credentials.
    #[error(
        "{0} is a credential of systemd by its name, and there is none; use LoadCredential= in the unit, or the file's whole \
         path"
    )]
    NoCredentials(String),
}

/// Reads a file that belongs to us or to root, and that nobody else may read: neither group nor others where it is ours,
/// not others where root gave it to our group. A bare name is a credential of systemd.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, SecretFileError> {
    let path = &place(path)?;
    let unreadable = |error| SecretFileError::Unreadable { path: path.clone(), error };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let (owner, mode) = (metadata.uid(), metadata.mode());
    let private = match owner {
        0 => mode & 0o027 == 0,
        owner => owner == nix::unistd::geteuid().as_raw() && mode & 0o077 == 0,
    };
    if !metadata.is_file() || !private {
        return Err(SecretFileError::TooOpen { path: path.clone() });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(SIZE).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

#[expect(clippy::disallowed_methods, reason = "systemd speaks through the environment")]
fn place(path: &Path) -> Result<PathBuf, SecretFileError> {
    let bare = path.components().count() == 1 && path.is_relative();
    if !bare {
        return Ok(path.to_owned());
    }
    let none = || SecretFileError::NoCredentials(path.display().to_string());
    Ok(PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(none)?).join(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_password_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "secret\n").unwrap();
        for (mode, fine) in [(0o600, true), (0o400, true), (0o604, false), (0o644, false), (0o660, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path).is_ok(), fine, "{mode:o}");
        }
        assert!(matches!(read(Path::new("mail")), Err(SecretFileError::NoCredentials(_))));
    }
}
