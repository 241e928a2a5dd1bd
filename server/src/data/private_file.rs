//! Files that only we may read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::DataError;

/// Largest file read here: a key with room.
const SIZE: u64 = 64 * 1024;

/// Reads a file that must be ours and nobody else's. The open file is checked, not the name.
///
/// # Errors
/// [`DataError`].
pub fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, DataError> {
    let io = |error| DataError::Io { path: path.to_owned(), error };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(DataError::NotAFile(path.to_owned()));
    }
    check(path, &metadata, 0o600)?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(SIZE).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Writes a new file that only we may read, and waits until it is on the disk.
///
/// # Errors
/// [`DataError`], also if there is a file already.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), DataError> {
    let io = |error| DataError::Io { path: path.to_owned(), error };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    file.write_all(content).map_err(io)?;
    file.sync_all().map_err(io)
}

/// Puts a file in the place of one, all or nothing. What was there is overwritten where it lay, as far as the disk lets us.
///
/// # Errors
/// [`DataError`]; the old one is there then.
pub fn replace_private(path: &Path, content: &[u8]) -> Result<(), DataError> {
    let io = |error| DataError::Io { path: path.to_owned(), error };
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let mut old = OpenOptions::new().write(true).open(path).map_err(io)?;
    write_private(&new, content)?;
    std::fs::rename(&new, path).map_err(io)?;
    if let Some(folder) = path.parent() {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    }
    let length = old.metadata().map_err(io)?.len().min(SIZE);
    old.write_all(&vec![0; usize::try_from(length).unwrap_or(0)]).and_then(|()| old.sync_all()).map_err(io)
}

pub(super) fn check_folder(path: &Path) -> Result<(), DataError> {
    let metadata = std::fs::metadata(path).map_err(|error| DataError::Io { path: path.to_owned(), error })?;
    check(path, &metadata, 0o700)
}

fn check(path: &Path, metadata: &Metadata, wanted: u32) -> Result<(), DataError> {
    let me = nix::unistd::geteuid().as_raw();
    if metadata.uid() != me {
        return Err(DataError::Foreign { path: path.to_owned(), owner: metadata.uid(), me });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(DataError::TooOpen { path: path.to_owned(), mode, wanted });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_that_others_may_read_is_refused_and_the_cure_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_private(&path, b"secret").unwrap();
        assert_eq!(read_private(&path).unwrap().as_slice(), b"secret");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let said = read_private(&path).unwrap_err().to_string();
        assert!(said.contains("0640") && said.contains("chmod 600"), "{said}");
    }

    #[test]
    fn a_secret_never_overwrites_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_private(&path, b"first").unwrap();
        assert!(write_private(&path, b"second").is_err());
        assert_eq!(read_private(&path).unwrap().as_slice(), b"first");
    }
}
