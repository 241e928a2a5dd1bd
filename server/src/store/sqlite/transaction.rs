//! One message's transaction.

use std::cell::Cell;

use countersign_server_core::store::StoreError;
use rusqlite::Connection;

use super::super::faults::CrashPoint;
use super::super::group::{Line as _, Member, gone};
use super::super::sql::{Reading, Row, Value, Writing};
use super::{SqliteLine, prepared, rows, unavailable};

/// Holds the write lock from beginning to end.
pub(in super::super) struct SqliteTransaction<'a> {
    /// Until it is over.
    turn: Option<Member<'a, SqliteLine>>,
    crash: &'a CrashPoint,
    /// What is deleted is overwritten.
    wiping: Cell<bool>,
}

impl<'a> SqliteTransaction<'a> {
    pub(in super::super) const fn of(turn: Member<'a, SqliteLine>, crash: &'a CrashPoint) -> Self {
        Self { turn: Some(turn), crash, wiping: Cell::new(false) }
    }

    fn connection(&self) -> Result<&Connection, StoreError> {
        let line = self.turn.as_ref().map(Member::line).filter(|line| line.is_open());
        line.map(|line| &line.connection).ok_or_else(gone)
    }
}

impl Reading for SqliteTransaction<'_> {
    fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.crash.ran();
        rows(prepared(self.connection()?, sql, params)?, row)
    }
}

impl Writing for SqliteTransaction<'_> {
    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64, StoreError> {
        let changed = prepared(self.connection()?, sql, params)?.raw_execute().map_err(unavailable)?;
        self.crash.wrote();
        Ok(changed as u64)
    }

    fn execute_returning(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        rows(prepared(self.connection()?, sql, params)?, row)?;
        self.crash.wrote();
        Ok(())
    }

    fn wipe_what_is_deleted(&self) -> Result<(), StoreError> {
        self.wiping.set(true);
        self.connection()?.pragma_update(None, "secure_delete", true).map_err(unavailable)
    }

    /// Other processes on one file find it when they look.
    fn announce(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(mut self) -> Result<(), StoreError> {
        match self.turn.take() {
            Some(turn) => {
                if self.wiping.get() {
                    turn.line().wipe();
                }
                turn.keep(self.crash)
            }
            None => Ok(()),
        }
    }
}

impl Drop for SqliteTransaction<'_> {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take() {
            turn.give_up(self.crash);
        }
    }
}
