//! `ledger.pub`: what the ledger is checked with. Nothing in it is secret; but who writes it says whose jobs are done.

use std::fs::{File, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use countersign_protocol::ledger::LedgerKey;

use super::{DataError, DataFolder};

/// Longest file that is read: a line, with room.
const SIZE: u64 = 4096;

/// Reads it where it is ours or root's, and nobody else may write it.
///
/// # Errors
/// [`DataError`].
pub fn read_ledger_pub(folder: &DataFolder) -> Result<LedgerKey, DataError> {
    let path = folder.ledger_pub();
    let io = |error| DataError::Io { path: path.clone(), error };
    let file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(DataError::NoLedgerPub(path));
        }
        opened => opened.map_err(io)?,
    };
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(DataError::NotAFile(path));
    }
    let me = nix::unistd::geteuid().as_raw();
    if metadata.uid() != me && metadata.uid() != 0 {
        return Err(DataError::Foreign { path, owner: metadata.uid(), me });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(DataError::Writable { path, mode });
    }
    let mut text = String::new();
    file.take(SIZE).read_to_string(&mut text).map_err(io)?;
    text.trim()
        .parse()
        .map_err(|error| DataError::Content { path: folder.ledger_pub(), what: format!("{error}") })
}

/// Puts it there, or right, if it does not say `key` already.
///
/// # Errors
/// [`DataError`]; what was there is there still.
pub fn publish_ledger_pub(folder: &DataFolder, key: &LedgerKey) -> Result<(), DataError> {
    let path = folder.ledger_pub();
    let io = |error| DataError::Io { path: path.clone(), error };
    let text = format!("{}\n", key.as_str());
    if std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let new = folder.root().join(format!("ledger.pub.{}", std::process::id()));
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        // Whatever the umask says.
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.sync_all()
    });
    written.and_then(|()| std::fs::rename(&new, &path)).map_err(|error| {
        let _left = std::fs::remove_file(&new);
        io(error)
    })
}
