//! SQLite: one file, one writer at a time, durable at every commit.
//!
//! `journal_mode=WAL` lets readers go on beside the writer; `synchronous=FULL` makes a commit wait for the disk.
//! Several processes may open one file: a transaction that may write takes SQLite's one write lock at once
//! (`BEGIN IMMEDIATE`), so it can never find out half-way that somebody else was first.

mod accounts;
mod applications;
mod codes;
mod emergency;
mod faults;
mod forgetting;
mod handshakes;
mod instances;
mod keys;
mod ledger;
mod offline;
mod policies;
mod registrations;
mod replies;
mod rotations;
mod rows;
mod tokens;
mod transaction;
mod view;

pub use faults::CrashPoint;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_server_core::store::{Store, StoreError, Transaction, View};
use rusqlite::{Connection, OpenFlags};

use self::transaction::SqliteTransaction;
use self::view::SqliteView;

mod embedded {
    refinery::embed_migrations!("src/store/sqlite/migrations");
}

/// How long a transaction waits for another process's.
const PATIENCE: Duration = Duration::from_secs(5);

/// A database file.
pub struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    crash: CrashPoint,
}

impl SqliteStore {
    /// Fills an empty file, which the caller made private.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        if std::fs::metadata(path).is_ok_and(|there| there.len() > 0) {
            return Err(StoreError::Unavailable(format!("{} is not empty", path.display())));
        }
        Self::connect(path, CrashPoint::never())
    }

    /// Opens a file that is there, and brings its tables up to this program's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path, crash: CrashPoint) -> Result<Self, StoreError> {
        Self::connect(path, crash)
    }

    fn connect(path: &Path, crash: CrashPoint) -> Result<Self, StoreError> {
        let opened = |error: rusqlite::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
        let mut writer = writer(path).map_err(opened)?;
        embedded::migrations::runner()
            .run(&mut writer)
            .map_err(|error| StoreError::Corrupt(format!("{}: its tables: {error}", path.display())))?;
        Ok(Self { path: path.to_owned(), writer: Mutex::new(writer), readers: Mutex::default(), crash })
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let connection = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .map_err(unavailable)?;
        prepare(&connection).map_err(unavailable)?;
        connection.pragma_update(None, "query_only", true).map_err(unavailable)?;
        Ok(connection)
    }

    fn put_back(&self, connection: Connection) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

fn writer(path: &Path) -> Result<Connection, rusqlite::Error> {
    let writer = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare(&writer)?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    writer.pragma_update(None, "synchronous", "FULL")?;
    Ok(writer)
}

fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

impl Store for SqliteStore {
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StoreError> {
        let mut connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // A rollback that failed left its transaction open: nothing of it may get into the next one.
        if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
            *connection = writer(&self.path).map_err(unavailable)?;
        }
        Ok(Box::new(SqliteTransaction::begin(connection, &self.crash)?))
    }

    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        Ok(Box::new(SqliteView::new(self, self.reader()?)?))
    }
}

fn unavailable(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_left_open_gets_into_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::write(&path, b"").unwrap();
        let store = SqliteStore::create(&path).unwrap();
        let left = "BEGIN IMMEDIATE; INSERT INTO ledger_entries (place, entry) VALUES (0, x'00')";
        store.writer.lock().unwrap().execute_batch(left).unwrap();
        let tx = store.begin().unwrap();
        assert_eq!(tx.size().unwrap(), 0);
        tx.commit().unwrap();
        assert_eq!(store.view().unwrap().size().unwrap(), 0);
    }
}
