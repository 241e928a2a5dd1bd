//! Everything as it was.

use std::fmt;
use std::path::{Path, PathBuf};

use countersign_protocol::ids::Digest;
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
    /// Somebody changed these meanwhile, or what was kept of them is lost: they only lose our lines.
    pub(crate) left: Vec<PathBuf>,
    /// These still have lines of ours, which must go by hand.
    pub(crate) still_ours: Vec<PathBuf>,
}

impl PutBack {
    /// What did not become as it was, a line each.
    pub(crate) fn list_left(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { left, still_ours, .. } = self;
        for path in left.iter().filter(|path| !still_ours.contains(path)) {
            writeln!(f, "  {} was changed by somebody else meanwhile, and is left as it is", path.display())?;
        }
        for path in still_ours {
            writeln!(f, "  {} still has lines with pam_countersign.so: remove them by hand", path.display())?;
        }
        if !still_ours.is_empty() {
            writeln!(f, "  Then run this again. Until then pam_countersign.so must stay installed.")?;
        }
        Ok(())
    }
}

/// What is at a path, as far as putting back goes.
enum Found {
    AsBefore,
    /// As we left it, and the bytes that were there before.
    Ours(Vec<u8>),
    Changed,
}

/// An entry, and what became of it.
struct Item<'e> {
    entry: &'e Entry,
    found: Found,
    /// Whether lines of ours were there before already, by hand or by an earlier change: then they may stay.
    had_ours: bool,
    /// Whether `pam-auth-update` wrote it, together with others.
    is_generated: bool,
}

/// Puts back what nobody else changed meanwhile. `is_known` is false where a change was interrupted: what is there
/// then is the interrupted change. Can be run again after it was interrupted itself.
///
/// As long as lines of ours are left, the caller keeps what was kept.
pub(crate) fn put_back(
    store: &Store,
    system: System,
    entries: &[Entry],
    is_known: bool,
    leave: impl Fn(&Entry) -> bool,
) -> Result<PutBack, Failure> {
    let mut done = PutBack::default();
    let mut failures = Vec::new();
    let mut items = Vec::new();
    for entry in entries.iter().filter(|entry| !leave(entry)) {
        let is_generated = system == System::Debian && debian::is_generated(&entry.path);
        let kept = store.kept(&entry.before);
        let had_ours = kept.as_ref().is_ok_and(|bytes| has_ours(&entry.path, bytes));
        let found = find(entry, kept, is_known).unwrap_or_else(|failure| {
            failures.push(failure.message);
            Found::Changed
        });
        items.push(Item { entry, found, had_ours, is_generated });
    }
    // What pam-auth-update wrote is put back as a whole or not at all: with its own notes put back and one file not,
    // it would take our lines in that file for somebody's work, and leave them for ever.
    let generated = || items.iter().filter(|item| item.is_generated);
    let leave_generated = generated().any(|item| matches!(item.found, Found::Changed));
    let withdrawal = if leave_generated && !generated().any(|item| item.had_ours) {
        debian::withdraw().err()
    } else {
        None
    };
    // Last written, first put back: PAM before the file that says who needs a card.
    for item in items.iter().rev() {
        let path = &item.entry.path;
        match &item.found {
            Found::AsBefore | Found::Ours(_) if leave_generated && item.is_generated => {}
            Found::AsBefore => continue,
            // Without it pam-auth-update could not be asked again to take its lines out.
            Found::Ours(_) if debian::is_profile(path) && !done.still_ours.is_empty() => continue,
            Found::Ours(bytes) => {
                match kept::restore(path, &item.entry.before, bytes) {
                    Ok(()) => done.restored.push(path.clone()),
                    // The others can be put back all the same.
                    Err(failure) => failures.push(failure.message),
                }
                continue;
            }
            Found::Changed => done.left.push(path.clone()),
        }
        if !item.had_ours && !is_free_of_ours(path) {
            done.still_ours.push(path.clone());
        }
    }
    relabel(&done.restored);
    // Where our lines are gone all the same, it does not matter how.
    failures.extend(withdrawal.filter(|_| !done.still_ours.is_empty()).map(|failure| failure.message));
    if failures.is_empty() {
        return Ok(done);
    }
    Err(Failure::file(failures.join("; ")).then("Mend this, and run: countersign pam revert, or pam disable"))
}

fn find(entry: &Entry, kept: Result<Vec<u8>, Failure>, is_known: bool) -> Result<Found, Failure> {
    kept::clear(&entry.path);
    let (now, _) = Content::at(&entry.path)?;
    if now == entry.before {
        return Ok(Found::AsBefore);
    }
    // Nobody empties these: a power cut does, between a write and its way to the disk.
    let is_empty = matches!(&now, Content::File { digest, .. } if *digest == Digest::of(b""));
    let is_ours = match &entry.after {
        Some(after) => now == *after || is_empty,
        None => !is_known || is_empty,
    };
    // Without what was there before, the best is to take our lines out.
    Ok(if let (true, Ok(bytes)) = (is_ours, kept) { Found::Ours(bytes) } else { Found::Changed })
}

/// Takes our lines out of a file of PAM; false if they are still there.
fn is_free_of_ours(path: &Path) -> bool {
    let Ok(bytes) = std::fs::read(path) else { return true };
    if !has_ours(path, &bytes) {
        return true;
    }
    let is_file = path.symlink_metadata().is_ok_and(|about| about.is_file());
    let without = String::from_utf8(bytes).ok().and_then(|text| lines::without_ours(&text));
    is_file && without.is_some_and(|text| kept::rewrite(path, text.as_bytes()).is_ok())
}

/// Only of PAM's own files: elsewhere the module's name is only mentioned.
fn has_ours(path: &Path, bytes: &[u8]) -> bool {
    let is_pam_s = path.starts_with("/etc/pam.d") || path.starts_with("/etc/authselect");
    is_pam_s && lines::has_ours(&String::from_utf8_lossy(bytes))
}

/// Files that were made anew get the label that SELinux wants for their place.
fn relabel(paths: &[PathBuf]) {
    if let (Some(restorecon), false) = (super::tools::find("restorecon"), paths.is_empty()) {
        // Where it fails, SELinux is not in use or tells its own story.
        let _ = super::tools::command(&restorecon).args(paths).output();
    }
}
