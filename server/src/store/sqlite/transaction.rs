//! One message's transaction.

use std::cell::Cell;
use std::sync::MutexGuard;

use countersign_server_core::store::StoreError;
use rusqlite::Connection;

use super::super::faults::CrashPoint;
use super::super::sql::{Reading, Row, Value, Writing};
use super::{prepared, rows, unavailable};

/// Holds the write lock from beginning to end.
pub(super) struct SqliteTransaction<'a> {
    connection: MutexGuard<'a, Connection>,
    crash: &'a CrashPoint,
    open: bool,
    /// What is deleted is overwritten.
    wiping: Cell<bool>,
}

impl<'a> SqliteTransaction<'a> {
    pub(super) fn begin(
        connection: MutexGuard<'a, Connection>,
        crash: &'a CrashPoint,
    ) -> Result<Self, StoreError> {
        connection.execute_batch("BEGIN IMMEDIATE").map_err(unavailable)?;
        Ok(Self { connection, crash, open: true, wiping: Cell::new(false) })
    }
}

impl Reading for SqliteTransaction<'_> {
    fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        rows(prepared(&self.connection, sql, params)?, row)
    }
}

impl Writing for SqliteTransaction<'_> {
    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64, StoreError> {
        let changed = prepared(&self.connection, sql, params)?.raw_execute().map_err(unavailable)?;
        self.crash.wrote();
        Ok(changed as u64)
    }

    fn execute_returning(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        rows(prepared(&self.connection, sql, params)?, row)?;
        self.crash.wrote();
        Ok(())
    }

    /// Nobody else writes.
    fn hold(&self, _sql: &str, _params: &[Value<'_>]) -> Result<(), StoreError> {
        Ok(())
    }

    fn wipe_what_is_deleted(&self) -> Result<(), StoreError> {
        self.wiping.set(true);
        self.connection.pragma_update(None, "secure_delete", true).map_err(unavailable)
    }

    /// Nobody else writes.
    fn hold_name(&self, _kind: &str, _name: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Other processes on one file find it when they look.
    fn announce(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(mut self) -> Result<(), StoreError> {
        self.connection.execute_batch("COMMIT").map_err(unavailable)?;
        self.open = false;
        self.crash.wrote();
        if self.wiping.get() {
            // What was deleted lies in the log of writes too, until it is written into the file and cut off. Whoever
            // reads right now puts that off to the next time.
            let _later = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            self.connection.pragma_update(None, "secure_delete", "FAST").map_err(unavailable)?;
        }
        Ok(())
    }
}

impl Drop for SqliteTransaction<'_> {
    fn drop(&mut self) {
        if self.open {
            // SQLite may have rolled back by itself; then this fails and nothing is lost.
            let _already_gone = self.connection.execute_batch("ROLLBACK");
        }
    }
}
