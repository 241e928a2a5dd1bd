//! A copy of the server, made while it serves, that proves itself.

use std::fs::File;
use std::path::{Path, PathBuf};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Digest;
use countersign_protocol::ledger::{ExportReport, LedgerError};
use countersign_server_core::store::{Store, StoreError, Turn};
use serde::{Deserialize, Serialize};

use crate::data::{DataError, DataFolder, read_private, write_private};
use crate::open::Keys;
use crate::proof::{self, Unproven};
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
}

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
    #[error("{} is there already; restore into a folder without a database, and move that one away first", .0.display())]
    Occupied(PathBuf),
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
    let report = proof::whole(&store, keys)?;
    if with_keys {
        for path in secrets(folder) {
            copy_private(&path, to)?;
        }
    }
    let label = Label {
        made: now,
        ledger_key: keys.ledger.key().to_string(),
        entries: report.size,
        root: report.root,
        keys: with_keys,
    };
    let json = serde_json::to_vec_pretty(&label)
        .map_err(|error| BackupError::Label(label_of(to), error.to_string()))?;
    write_private(&label_of(to), &json)?;
    Ok(label)
}

/// What was restored.
pub struct Restored {
    /// What the backup said.
    pub label: Label,
    /// What its ledger proved.
    pub report: ExportReport,
}

/// Puts a backup into a data folder that has no database, after checking all of it. Nothing is there if it does not hold.
///
/// # Errors
/// [`BackupError`].
pub fn restore(from: &Path, folder: &DataFolder, now: Timestamp) -> Result<Restored, BackupError> {
    let label = label(from)?;
    if folder.database().exists() {
        return Err(BackupError::Occupied(folder.database()));
    }
    folder.prepare()?;
    let backup = DataFolder::at(from.to_owned());
    if !folder.ledger_key().exists() {
        if !label.keys {
            return Err(BackupError::NoKeys(folder.root().to_owned()));
        }
        for path in secrets(&backup) {
            copy_private(&path, folder.root())?;
        }
    }
    let keys = crate::open::keys_in(folder)?;
    if keys.ledger.key().to_string() != label.ledger_key {
        return Err(BackupError::AnotherServer(label.ledger_key));
    }
    // Under another name until it holds: nobody serves from half a database.
    let unproven = folder.root().join("restoring.db");
    let io = |error| DataError::Io { path: unproven.clone(), error };
    if unproven.exists() {
        std::fs::remove_file(&unproven).map_err(io)?;
    }
    write_private(&unproven, b"")?;
    std::fs::copy(backup.database(), &unproven).map_err(io)?;
    let report = {
        let store = SqliteStore::open(&unproven, CrashPoint::never())?;
        let report = proven(&store, &keys, now)?;
        if (report.size, report.root) != (label.entries, label.root) {
            return Err(BackupError::Label(label_of(from), "its ledger is not the one that it names".into()));
        }
        store.close()?;
        report
    };
    sync(&unproven)?;
    std::fs::rename(&unproven, folder.database()).map_err(io)?;
    sync(folder.root())?;
    Ok(Restored { label, report })
}

/// Checks a database that was put back by its own means, and lets nothing be taken until what was answered after the backup
/// can no more come again.
///
/// # Errors
/// [`BackupError`].
pub fn proven(store: &dyn Store, keys: &Keys, now: Timestamp) -> Result<ExportReport, BackupError> {
    let report = proof::whole(store, keys)?;
    let tx = store.begin(Turn::Alone)?;
    tx.forget(now)?;
    tx.commit()?;
    Ok(report)
}

fn label_of(folder: &Path) -> PathBuf {
    folder.join("backup.json")
}

fn label(folder: &Path) -> Result<Label, BackupError> {
    let path = label_of(folder);
    let json = read_private(&path)?;
    serde_json::from_slice(&json).map_err(|error| BackupError::Label(path, error.to_string()))
}

fn copy_private(path: &Path, to: &Path) -> Result<(), BackupError> {
    let content = read_private(path)?;
    let name = path.file_name().unwrap_or_default();
    Ok(write_private(&to.join(name), &content)?)
}

fn sync(path: &Path) -> Result<(), BackupError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    Ok(synced.map_err(|error| DataError::Io { path: path.to_owned(), error })?)
}
