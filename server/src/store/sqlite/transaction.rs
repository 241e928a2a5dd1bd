//! One message's transaction.

use std::sync::MutexGuard;

use countersign_server_core::store::{StoreError, Transaction};
use rusqlite::{Connection, Params, Row};

use super::rows::optional;
use super::{CrashPoint, unavailable};

/// Holds the write lock from beginning to end.
pub(super) struct SqliteTransaction<'a> {
    connection: MutexGuard<'a, Connection>,
    crash: &'a CrashPoint,
    open: bool,
}

impl<'a> SqliteTransaction<'a> {
    pub(super) fn begin(
        connection: MutexGuard<'a, Connection>,
        crash: &'a CrashPoint,
    ) -> Result<Self, StoreError> {
        connection.execute_batch("BEGIN IMMEDIATE").map_err(unavailable)?;
        Ok(Self { connection, crash, open: true })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs one statement that writes; the number of rows it changed.
    pub(super) fn write(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        let changed = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map_err(unavailable)?;
        self.crash.wrote();
        Ok(changed)
    }

    /// Runs one statement that writes and returns the row it changed, if it changed one.
    pub(super) fn write_returning<T>(
        &self,
        sql: &str,
        params: impl Params,
        row: impl FnOnce(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Option<T>, StoreError> {
        let returned =
            self.connection.prepare_cached(sql).and_then(|mut statement| statement.query_row(params, row));
        let returned = optional(returned)?;
        self.crash.wrote();
        Ok(returned)
    }

    /// Reads one row, if there is one.
    pub(super) fn read<T>(
        &self,
        sql: &str,
        params: impl Params,
        row: impl FnOnce(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Option<T>, StoreError> {
        optional(
            self.connection.prepare_cached(sql).and_then(|mut statement| statement.query_row(params, row)),
        )
    }

    /// Reads all rows.
    pub(super) fn read_all<T>(
        &self,
        sql: &str,
        params: impl Params,
        row: impl FnMut(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Vec<T>, StoreError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map(params, row)?.collect())
            .map_err(unavailable)
    }
}

impl Transaction for SqliteTransaction<'_> {
    fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        self.connection.execute_batch("COMMIT").map_err(unavailable)?;
        self.open = false;
        self.crash.wrote();
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
