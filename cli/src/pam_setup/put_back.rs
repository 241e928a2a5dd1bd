//! Everything as it was.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::kept::{self, Content};
use super::store::{Entry, Store};
use super::system::System;
use super::{debian, lines};
use crate::failure::Failure;

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PutBack {
    /// As they were before.
    pub(crate) restored: Vec<PathBuf>,
    /// Somebody changed these meanwhile: they were left.
    pub(crate) left: Vec<PathBuf>,
    /// These still have lines of ours, which must go by hand.
    pub(crate) still_ours: Vec<PathBuf>,
}

/// Puts back what nobody else changed meanwhile. `is_known` is false where a change was interrupted: what is there
/// then is the interrupted change. Can be run again after it was interrupted itself.
pub(crate) fn put_back(
    store: &Store,
    system: System,
    entries: &[Entry],
    is_known: bool,
    leave: impl Fn(&Entry) -> bool,
) -> Result<PutBack, Failure> {
    let mut done = PutBack::default();
    let mut failures = Vec::new();
    // First of all, so that no file is half put back when it turns out that another cannot be.
    let mut kept_bytes = Vec::new();
    for entry in entries {
        kept_bytes.push(store.kept(&entry.before)?);
    }
    // Last written, first put back: PAM before the file that says who needs a card.
    for (entry, bytes) in entries.iter().zip(&kept_bytes).rev().filter(|(entry, _)| !leave(entry)) {
        kept::clear(&entry.path);
        let (now, _) = Content::at(&entry.path)?;
        if now == entry.before {
            continue;
        }
        let ours = match &entry.after {
            Some(after) => now == *after,
            None => !is_known,
        };
        if !ours {
            done.left.push(entry.path.clone());
            continue;
        }
        match kept::restore(&entry.path, &entry.before, bytes) {
            Ok(()) => done.restored.push(entry.path.clone()),
            // The others can be put back all the same.
            Err(failure) => failures.push(failure.message),
        }
    }
    if system == System::Debian && done.left.iter().any(|path| has_ours(path)) {
        debian::withdraw()?;
    }
    done.still_ours = done.left.iter().filter(|path| has_ours(path)).cloned().collect();
    relabel(&done.restored);
    if failures.is_empty() {
        return Ok(done);
    }
    Err(Failure::file(failures.join("; ")).then("Mend this, and run: countersign pam revert, or pam disable"))
}

/// Only of PAM's own files: elsewhere the module's name is only mentioned.
fn has_ours(path: &Path) -> bool {
    let is_pam_s = path.starts_with("/etc/pam.d") || path.starts_with("/etc/authselect");
    is_pam_s && std::fs::read_to_string(path).is_ok_and(|text| lines::has_ours(&text))
}

/// Files that were made anew get the label that SELinux wants for their place.
fn relabel(paths: &[PathBuf]) {
    if let (Some(restorecon), false) = (super::tools::find("restorecon"), paths.is_empty()) {
        // Where it fails, SELinux is not in use or tells its own story.
        let _ = super::tools::command(&restorecon).args(paths).output();
    }
}
