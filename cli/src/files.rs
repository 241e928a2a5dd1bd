//! Files that people name on the command line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use countersign_protocol::limits;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Reads a whole file of at most `limit` bytes. `what` names it for people: "the bundle".
pub(crate) fn read(path: &Path, what: &str, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error: io::Error| {
        Failure::file(format!("{what} {} cannot be read: {error}", path.display())).then(remedy(&error))
    };
    let file = File::open(path).map_err(failed)?;
    let ceiling = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(ceiling).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(Failure::file(format!("{what} {} is over {limit} bytes", path.display()))
            .then("Is it the right file?"));
    }
    Ok(bytes)
}

/// The same of text, as large as a collection's schema may be.
pub(crate) fn text(path: &Path, what: &str) -> Result<String, Failure> {
    let bytes = read(path, what, limits::COLLECTION_SCHEMA)?;
    std::str::from_utf8(&bytes)
        .map(str::to_owned)
        .map_err(|_| Failure::file(format!("{what} {} is not UTF-8 text", path.display())))
}

/// A new file, made before anybody types a PIN for what goes into it. It is removed again unless filled.
/// An existing file is never replaced.
pub(crate) struct Reserved<'a> {
    path: &'a Path,
    what: &'static str,
    file: File,
    filled: bool,
}

impl<'a> Reserved<'a> {
    /// A file that only its owner may read.
    pub(crate) fn private(path: &'a Path, what: &'static str) -> Result<Self, Failure> {
        Self::create(path, what, 0o600)
    }

    /// A file with the usual permissions.
    pub(crate) fn public(path: &'a Path, what: &'static str) -> Result<Self, Failure> {
        Self::create(path, what, 0o644)
    }

    fn create(path: &'a Path, what: &'static str, mode: u32) -> Result<Self, Failure> {
        match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
            Ok(file) => Ok(Self { path, what, file, filled: false }),
            Err(error) => Err(cannot_write(path, what, &error)),
        }
    }

    /// Writes the content, and waits until it is on disk.
    pub(crate) fn fill(mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self.file.write_all(bytes) {
            Ok(()) => self.keep(),
            Err(error) => Err(cannot_write(self.path, self.what, &error)),
        }
    }

    /// Waits until what was written is on disk, and lets it stay there.
    pub(crate) fn keep(mut self) -> Result<(), Failure> {
        match self.file.sync_all() {
            Ok(()) => {
                self.filled = true;
                Ok(())
            }
            Err(error) => Err(cannot_write(self.path, self.what, &error)),
        }
    }
}

impl Write for Reserved<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if !self.filled {
            // It is ours and empty or broken; if it cannot go, the failure being reported matters more.
            let _ = std::fs::remove_file(self.path);
        }
    }
}

fn cannot_write(path: &Path, what: &str, error: &io::Error) -> Failure {
    Failure::file(format!("{what} {} cannot be written: {error}", path.display())).then(remedy(error))
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "Check the path.",
        io::ErrorKind::PermissionDenied => {
            "Check the permissions of the file and its folder, or run this with sudo."
        }
        io::ErrorKind::AlreadyExists => {
            "Files are never replaced here: name another, or move that one away first."
        }
        io::ErrorKind::IsADirectory => "Name a file, not a folder.",
        _ => "Mend this and run the command again.",
    }
}
