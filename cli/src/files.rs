//! Files that people name on the command line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::Failure;

/// Reads a whole file of at most `limit` bytes. `what` names it for people: "the bundle".
pub(crate) fn read(path: &Path, what: &str, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let named = format!("{what} {}", path.display());
    let file = File::open(path).map_err(|error| cannot_read(&named, &error))?;
    whole(file, &named, limit)
}

/// All of `from`, at most `limit` bytes. `named` is what people know it by: "the bundle b.json".
pub(crate) fn whole(from: impl Read, named: &str, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let ceiling = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(ceiling).read_to_end(&mut bytes).map_err(|error| cannot_read(named, &error))?;
    if bytes.len() > limit {
        return Err(Failure::file(format!("{named} is over {limit} bytes")).then("Is it the right file?"));
    }
    Ok(bytes)
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

fn cannot_read(named: &str, error: &io::Error) -> Failure {
    Failure::file(format!("{named} cannot be read: {error}")).then(remedy(error))
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
