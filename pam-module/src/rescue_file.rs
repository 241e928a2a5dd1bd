//! Is the rescue file there? Looked at before anything else, so that it helps against everything else.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use countersign_protocol::rescue::{self, NotARescue};

/// Proof that root put the rescue file in place. Minted only in this file.
#[must_use]
pub(crate) struct Rescue(());

#[cfg(test)]
impl Rescue {
    pub(crate) const fn for_tests() -> Self {
        Self(())
    }
}

/// There is something, but nothing to rely on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RescueError {
    /// It cannot be looked at.
    #[error("it cannot be looked at: {0}")]
    Unreadable(#[from] io::Error),
    /// It could be another's work.
    #[error(transparent)]
    NotARescue(#[from] NotARescue),
}

/// Looks for it. `None`: it is not there.
pub(crate) fn look(path: &Path) -> Result<Option<Rescue>, RescueError> {
    // O_PATH: nothing of it is read, so a pipe or a device in its place does nothing. A link is not followed, and
    // what was opened is what is judged.
    let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let meta = file.metadata()?;
    rescue::judge(meta.is_file(), meta.uid(), meta.mode())?;
    Ok(Some(Rescue(())))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    #[test]
    fn only_what_root_alone_can_have_made_is_a_rescue() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rescue");
        assert!(look(&path).unwrap().is_none(), "none there");
        fs::write(&path, "").unwrap();
        chown(&path, Some(0), Some(0)).expect("these tests run as root");
        for (mode, good) in [(0o644, true), (0o000, true), (0o600, true), (0o664, false), (0o646, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(look(&path).is_ok_and(|rescue| rescue.is_some()), good, "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        chown(&path, Some(1000), Some(0)).unwrap();
        assert!(matches!(look(&path), Err(RescueError::NotARescue(NotARescue::NotRoots(1000)))));
    }

    #[test]
    fn a_link_a_folder_a_pipe_and_a_device_are_none_and_hang_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, link) = (folder.path().join("plain"), folder.path().join("link"));
        fs::write(&plain, "").unwrap();
        symlink(&plain, &link).unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [link.as_path(), folder.path(), pipe.as_path(), Path::new("/dev/null")] {
            let found = look(path);
            assert!(
                matches!(found, Err(RescueError::NotARescue(NotARescue::NotAFile))),
                "{}",
                path.display()
            );
        }
    }
}
