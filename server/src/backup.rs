//! A copy of the server, made while it serves, that proves itself.

mod restore;

pub use restore::{Restored, Wishes, proven, restore};

use std::fs::File;
use std::path::{Path, PathBuf};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::LedgerError;
use countersign_server_core::audit::Finding;
use countersign_server_core::store::StoreError;
use serde::{Deserialize, Serialize};

use crate::data::{DataError, DataFolder, read_private, write_private};
use crate::open::Keys;
use crate::proof::{self, Proof, Unproven};
use crate::store::sqlite::{CrashPoint, SqliteStore};

/// What a backup says of itself, beside the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// When it was made.
    pub made: Timestamp,
    /// The key of its ledger.
    pub ledger_key: String,
    /// Entries of the ledger.
    pub entries: u64,
    /// Root over them.
    pub root: Digest,
    /// Whether the server's keys lie beside the database.
    pub keys: bool,
    /// Rows that were not what the ledger says, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

/// Bytes of findings in a label, as text that JSON may make six times as long.
const LABEL: usize = 8 * 1024;

/// Characters of one of them.
const LONGEST: usize = 500;

/// No backup was made, or it cannot be restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A folder, a file.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It does not hold.
    #[error("{0}")]
    Unproven(#[from] Unproven),
    /// The label is not one.
    #[error("{path}: {what}; this is no backup of countersign-server", path = .0.display(), what = .1)]
    Label(PathBuf, String),
    /// It is another one's.
    #[error("the backup is of the server whose ledger key is {0}, and the keys here are another server's")]
    AnotherServer(String),
    /// There is a server.
    #[error(
        "{} is there already; restore into a folder without a database, and move that one away first, with what lies beside \
         it: countersign.db-wal, countersign.db-shm and countersign.db-journal",
        .0.display()
    )]
    Occupied(PathBuf),
    /// Rows were edited.
    #[error(
        "{0}\nSomebody edited the database before the backup was made. Restore an earlier one; or take this one as it is, with \
         --with-findings: what these rows let anybody do is denied until you look into them, see countersign-server check"
    )]
    Edited(String),
    /// The server's subkeys.
    #[error("the backup holds, and no new subkeys could be made: {0}")]
    Keys(String),
    /// There are no keys.
    #[error(
        "the backup holds no keys, and {} has none. Put server.key, ledger.key, codes.key and replies.key there, from \
         where you keep them",
        .0.display()
    )]
    NoKeys(PathBuf),
}

impl From<LedgerError> for BackupError {
    fn from(error: LedgerError) -> Self {
        Self::Unproven(error.into())
    }
}

/// The keys and the configuration of a server, which a backup holds if it is asked for.
fn secrets(folder: &DataFolder) -> [PathBuf; 4] {
    [folder.server_key(), folder.ledger_key(), folder.pepper(), folder.store_key()]
}

/// Copies the database of `folder` into the new folder `to` while others write, checks the whole copy, and labels it.
///
/// # Errors
/// [`BackupError`]; what was written so far stays there.
pub fn backup(
    folder: &DataFolder,
    keys: &Keys,
    to: &Path,
    with_keys: bool,
    now: Timestamp,
) -> Result<Label, BackupError> {
    let copy = DataFolder::at(to.to_owned());
    copy.create()?;
    write_private(&copy.database(), b"")?;
    SqliteStore::open(&folder.database(), CrashPoint::never())?.copy_into(&copy.database())?;
    sync(&copy.database())?;
    let store = SqliteStore::open(&copy.database(), CrashPoint::never())?;
    let Proof { report, findings } = proof::whole(&store, keys)?;
    // One file, with nothing beside it that could be left behind.
    store.close()?;
    if with_keys {
        for path in secrets(folder) {
            copy_private(&path, &name_in(to, &path))?;
        }
    }
    let label = Label {
        made: now,
        ledger_key: keys.ledger.key().to_string(),
        entries: report.size,
        root: report.root,
        keys: with_keys,
        findings: named(&findings),
    };
    let json = serde_json::to_vec_pretty(&label)
        .map_err(|error| BackupError::Label(label_of(to), error.to_string()))?;
    write_private(&label_of(to), &json)?;
    Ok(label)
}

/// As many as a label has room for: it is read as a key is.
fn named(findings: &[Finding]) -> Vec<String> {
    let mut named: Vec<String> = Vec::new();
    let mut room = LABEL;
    for Finding { row, what } in findings {
        let text: String = format!("{row}: {what}").chars().take(LONGEST).collect();
        let Some(left) = room.checked_sub(text.len()) else { break };
        room = left;
        named.push(text);
    }
    let more = findings.len().saturating_sub(named.len());
    named.extend((more > 0).then(|| format!("and {more} more")));
    named
}

fn label_of(folder: &Path) -> PathBuf {
    folder.join("backup.json")
}

fn label(folder: &Path) -> Result<Label, BackupError> {
    let path = label_of(folder);
    let json = read_private(&path)?;
    serde_json::from_slice(&json).map_err(|error| BackupError::Label(path, error.to_string()))
}

/// Where the file of this name lies in `folder`.
fn name_in(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path.file_name().unwrap_or_default())
}

fn copy_private(path: &Path, to: &Path) -> Result<(), BackupError> {
    let content = read_private(path)?;
    Ok(write_private(to, &content)?)
}

fn sync(path: &Path) -> Result<(), BackupError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    Ok(synced.map_err(|error| DataError::Io { path: path.to_owned(), error })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_with_ten_thousand_findings_can_be_read_again() {
        let finding = Finding { row: "account/ana".into(), what: "\u{1}".repeat(700) };
        let findings = named(&vec![finding; 10_000]);
        assert!(findings.len() > 10 && findings.last().unwrap().ends_with(" more"), "{}", findings.len());
        let digest = Digest::of(b"x");
        let label = Label {
            made: Timestamp::from_seconds(1),
            ledger_key: "key".into(),
            entries: 1,
            root: digest,
            keys: false,
            findings,
        };
        let folder = tempfile::tempdir().unwrap();
        write_private(&label_of(folder.path()), &serde_json::to_vec_pretty(&label).unwrap()).unwrap();
        assert_eq!(super::label(folder.path()).unwrap(), label);
    }
}
