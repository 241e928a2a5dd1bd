//! A file as it is, as it was, and the way back.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use countersign_protocol::ids::Digest;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Content {
    /// Nothing.
    Absent,
    /// A symbolic link, and where to.
    Link(PathBuf),
    /// A file.
    File {
        /// Of its bytes.
        digest: Digest,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

impl Content {
    /// What is there now, and a file's bytes.
    pub(crate) fn at(path: &Path) -> Result<(Self, Vec<u8>), Failure> {
        let failed = |error: io::Error| {
            Failure::file(format!("{} cannot be read: {error}", path.display())).then("Run this as root.")
        };
        let about = match fs::symlink_metadata(path) {
            Ok(about) => about,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Self::Absent, Vec::new())),
            Err(error) => return Err(failed(error)),
        };
        if about.is_symlink() {
            return Ok((Self::Link(fs::read_link(path).map_err(failed)?), Vec::new()));
        }
        if !about.is_file() {
            return Err(Failure::file(format!("{} is not a file", path.display()))
                .then("Look at it, move it away, and run this again."));
        }
        let bytes = fs::read(path).map_err(failed)?;
        let (mode, uid, gid) = (about.mode() & 0o7777, about.uid(), about.gid());
        Ok((Self::File { digest: Digest::of(&bytes), mode, uid, gid }, bytes))
    }
}

/// Puts a file in place in one step, on the disk before anybody sees it.
pub(crate) fn place(path: &Path, bytes: &[u8], mode: u32, uid: u32, gid: u32) -> Result<(), Failure> {
    let new = beside(path);
    let written = (|| {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // A leftover of a run that was killed.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        chown(&new, Some(uid), Some(gid))?;
        fs::set_permissions(&new, Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_folder(path)
    })();
    written.map_err(|error| {
        let _ = fs::remove_file(&new);
        Failure::file(format!("{} cannot be written: {error}", path.display()))
            .then("Make room or mend the file system, and run this again.")
    })
}

/// The same for a file that keeps the owner and the permissions it has; a new one is root's, and everybody's to read.
pub(crate) fn rewrite(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    match Content::at(path)?.0 {
        Content::File { mode, uid, gid, .. } => place(path, bytes, mode, uid, gid),
        _ => place(path, bytes, 0o644, 0, 0),
    }
}

/// Sees to it that what another program wrote here outlasts a power cut.
pub(crate) fn sync(path: &Path) -> Result<(), Failure> {
    let file =
        OpenOptions::new().read(true).custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK).open(path);
    match file.and_then(|file| file.sync_all()).and_then(|()| sync_folder(path)) {
        Err(error) if ![Some(nix::libc::ENOENT), Some(nix::libc::ELOOP)].contains(&error.raw_os_error()) => {
            Err(Failure::file(format!("{} cannot be brought to the disk: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

/// Brings a path back to what it was.
pub(crate) fn restore(path: &Path, was: &Content, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file(format!("{} cannot be put back: {error}", path.display()));
    match was {
        Content::File { mode, uid, gid, .. } => place(path, bytes, *mode, *uid, *gid),
        Content::Absent => match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.and_then(|()| sync_folder(path)).map_err(failed),
        },
        Content::Link(target) => {
            let new = beside(path);
            let _ = fs::remove_file(&new);
            std::os::unix::fs::symlink(target, &new)
                .and_then(|()| fs::rename(&new, path))
                .and_then(|()| sync_folder(path))
                .map_err(failed)
        }
    }
}

/// Takes away what a write left that was killed before its last step.
pub(crate) fn clear(path: &Path) {
    // Mostly there is nothing; and what cannot go is read by nobody.
    let _ = fs::remove_file(beside(path));
}

/// In the same folder, with a dot in its name: sudo and pam-auth-update pass over such.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.countersign~"))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
