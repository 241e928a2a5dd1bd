//! Puts a backup back, once all of it is proven.

use std::path::{Path, PathBuf};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::random::SystemRandom;
use countersign_server_core::store::Store;

use super::{BackupError, Label, copy_private, label, label_of, name_in, secrets, sync};
use crate::data::{DataError, DataFolder, read_private, write_private};
use crate::open::Keys;
use crate::own_keys;
use crate::proof::{self, Proof};
use crate::store::sqlite::{CrashPoint, SqliteStore};

/// How a backup is put back.
#[derive(Debug, Clone, Copy)]
pub struct Wishes {
    /// Also one with rows that are not what the ledger says.
    pub with_findings: bool,
    /// For how many days a pair of the server's subkeys is used.
    pub rotate_days: u32,
}

/// What was restored.
pub struct Restored {
    /// What the backup said.
    pub label: Label,
    /// What its ledger proved, and which rows are not what it says.
    pub proof: Proof,
    /// Whether the server has new subkeys; else its primary key is elsewhere.
    pub renewed: bool,
}

/// Puts a backup into a data folder that has no database, after checking all of it. Nothing is there if it does not hold.
///
/// # Errors
/// [`BackupError`].
pub fn restore(
    from: &Path,
    folder: &DataFolder,
    wishes: Wishes,
    now: Timestamp,
) -> Result<Restored, BackupError> {
    let label = label(from)?;
    // What lies beside a database is played over whichever takes its place.
    let there = with_company(&folder.database()).into_iter().find(|path| path.symlink_metadata().is_ok());
    if let Some(there) = there {
        return Err(BackupError::Occupied(there));
    }
    folder.prepare()?;
    // Under other names until all of it holds: nobody serves from half a server, and whoever tries again begins anew.
    let waiting = DataFolder::at(folder.root().join("restoring"));
    match std::fs::remove_dir_all(waiting.root()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(DataError::Io { path: waiting.root().to_owned(), error }.into());
        }
        _ => {}
    }
    waiting.create()?;
    let restored = proven_copy(from, folder, &waiting, label, wishes, now);
    let moved = restored.and_then(|restored| {
        // The database last: without it there is no server, and the next try finds the same keys.
        for path in secrets(&waiting).into_iter().filter(|path| path.exists()) {
            rename(&path, &name_in(folder.root(), &path))?;
        }
        sync(folder.root())?;
        rename(&waiting.database(), &folder.database())?;
        sync(folder.root())?;
        Ok(restored)
    });
    let removed = std::fs::remove_dir_all(waiting.root());
    let restored = moved?;
    removed.map_err(|error| DataError::Io { path: waiting.root().to_owned(), error })?;
    Ok(restored)
}

/// Copies what the folder needs into `waiting`, and checks it there.
fn proven_copy(
    from: &Path,
    folder: &DataFolder,
    waiting: &DataFolder,
    label: Label,
    wishes: Wishes,
    now: Timestamp,
) -> Result<Restored, BackupError> {
    let backup = DataFolder::at(from.to_owned());
    // All of them, or those of the backup in the place of what an earlier try left.
    let own = secrets(folder).iter().all(|path| path.exists());
    if !own && !label.keys {
        return Err(BackupError::NoKeys(folder.root().to_owned()));
    }
    let keys = if own {
        crate::open::keys_in(folder)?
    } else {
        for path in secrets(&backup) {
            let kept = name_in(folder.root(), &path);
            if kept.exists() && read_private(&kept)? != read_private(&path)? {
                return Err(BackupError::AnotherServer(label.ledger_key));
            }
            copy_private(&path, &name_in(waiting.root(), &path))?;
        }
        crate::open::keys_in(waiting)?
    };
    if keys.ledger.key().to_string() != label.ledger_key {
        return Err(BackupError::AnotherServer(label.ledger_key));
    }
    let database = waiting.database();
    write_private(&database, b"")?;
    let io = |error| DataError::Io { path: database.clone(), error };
    std::fs::copy(backup.database(), &database).map_err(io)?;
    let store = SqliteStore::open(&database, CrashPoint::never())?;
    let proof = proof::whole(&store, &keys)?;
    if (proof.report.size, proof.report.root) != (label.entries, label.root) {
        return Err(BackupError::Label(label_of(from), "its ledger is not the one that it names".into()));
    }
    let renewed = settle(&store, &keys, &proof, wishes, now)?;
    store.close()?;
    sync(&database)?;
    Ok(Restored { label, proof, renewed })
}

/// Checks a database that was put back by its own means, and prepares it as [`restore`] does.
///
/// # Errors
/// [`BackupError`].
pub fn proven(
    store: &dyn Store,
    keys: &Keys,
    wishes: Wishes,
    now: Timestamp,
) -> Result<(Proof, bool), BackupError> {
    let proof = proof::whole(store, keys)?;
    let renewed = settle(store, keys, &proof, wishes, now)?;
    Ok((proof, renewed))
}

/// Lets nothing be taken until what was answered after the backup can no more come again, and makes new subkeys if the primary
/// key is there: hosts may have heard of a pair that the backup does not hold, and take no older one.
fn settle(
    store: &dyn Store,
    keys: &Keys,
    proof: &Proof,
    wishes: Wishes,
    now: Timestamp,
) -> Result<bool, BackupError> {
    if !proof.findings.is_empty() && !wishes.with_findings {
        return Err(BackupError::Edited(proof::told(&proof.findings)));
    }
    let tx = store.begin()?;
    tx.forget(now)?;
    tx.commit()?;
    if !keys.primary.has_secret() {
        return Ok(false);
    }
    own_keys::renew(keys, store, wishes.rotate_days, false, now, &SystemRandom)
        .map_err(|stop| BackupError::Keys(stop.to_string()))?;
    Ok(true)
}

/// A database and what SQLite keeps beside it.
fn with_company(database: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|end| {
        let mut name = database.as_os_str().to_owned();
        name.push(end);
        name.into()
    })
}

fn rename(path: &Path, to: &Path) -> Result<(), BackupError> {
    let renamed = std::fs::rename(path, to);
    Ok(renamed.map_err(|error| DataError::Io { path: path.to_owned(), error })?)
}
