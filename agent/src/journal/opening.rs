//! A journal that cannot be opened must not keep anybody from logging in: the server's ledger has every decision.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Digest;
use rusqlite::{Connection, ErrorCode};
use serde::Serialize;

use super::{Journal, JournalError, Room};

/// Less than on disk: the agent's memory is locked.
const IN_MEMORY: Room = Room { entries: 10_000, unsent: 1000 };

/// First entry of a chain that follows one that was lost.
#[derive(Serialize)]
struct BegunAnew<'a> {
    event: &'static str,
    why: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_aside: Option<String>,
}

impl Journal {
    /// Opens the file. One that is damaged is set aside and a new one begun; where none can be written – a full
    /// disk, for one – the journal is kept in memory until the agent starts again. [`Self::trouble`] tells.
    ///
    /// # Errors
    /// Not even memory.
    pub fn open_anyway(path: &Path, at: Timestamp, held: Option<Digest>) -> Result<Self, JournalError> {
        let error = match Self::open(path, held) {
            Ok(journal) => return Ok(journal),
            Err(error) => error,
        };
        if error.is_damage() {
            match anew(path, at, &error, held) {
                Ok(journal) => return Ok(journal),
                Err(second) => return in_memory(at, &second),
            }
        }
        in_memory(at, &error)
    }

    /// What kept it from going on where it was; for the log.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Whether it ends with the agent.
    #[must_use]
    pub const fn is_in_memory(&self) -> bool {
        self.in_memory
    }
}

fn anew(
    path: &Path,
    at: Timestamp,
    error: &JournalError,
    held: Option<Digest>,
) -> Result<Journal, JournalError> {
    let aside = beside(path, &format!(".damaged-{}", at.seconds()));
    std::fs::rename(path, &aside).map_err(|error| JournalError::new(error.to_string()))?;
    for more in ["-wal", "-shm"] {
        // They belong to the old file and would be taken for the new one's.
        let _ = std::fs::rename(beside(path, more), beside(&aside, more));
    }
    let aside = aside.display().to_string();
    let why = error.to_string();
    let mut journal = Journal::open(path, held)?;
    journal
        .write(at, &BegunAnew { event: "journal-begun-anew", why: &why, set_aside: Some(aside.clone()) })?;
    journal.trouble = Some(format!("{why}. It was moved to {aside} and a new one was begun"));
    Ok(journal)
}

fn in_memory(at: Timestamp, error: &JournalError) -> Result<Journal, JournalError> {
    let mut journal = Journal::with(Connection::open_in_memory()?, IN_MEMORY, None)?;
    let why = error.to_string();
    journal.write(at, &BegunAnew { event: "journal-begun-anew", why: &why, set_aside: None })?;
    journal.in_memory = true;
    journal.trouble = Some(format!(
        "{why}. It is kept in memory until the agent starts again; make room or mend its folder, then: systemctl restart countersignd"
    ));
    Ok(journal)
}

fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(more);
    PathBuf::from(name)
}

/// Whether the file itself is at fault, not the disk around it.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => matches!(
            failure.code,
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::TypeMismatch
                | ErrorCode::Unknown
        ),
        // Tables of another shape.
        rusqlite::Error::SqlInputError { .. }
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..) => true,
        _ => false,
    }
}
