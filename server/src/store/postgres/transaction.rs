//! One message's transaction.

use countersign_server_core::ledger::Tip;
use countersign_server_core::store::StoreError;

use super::super::faults::CrashPoint;
use super::super::group::{Member, gone};
use super::super::sql::{Reading, Row, Table, Value, Writing};
use super::line::PostgresLine;

/// A turn on the line.
pub(in crate::store) struct PostgresTransaction<'a> {
    /// Until it is over.
    turn: Option<Member<'a, PostgresLine>>,
    crash: &'a CrashPoint,
}

impl<'a> PostgresTransaction<'a> {
    pub(super) const fn of(turn: Member<'a, PostgresLine>, crash: &'a CrashPoint) -> Self {
        Self { turn: Some(turn), crash }
    }

    fn line(&self) -> Result<&PostgresLine, StoreError> {
        self.turn.as_ref().map(Member::line).ok_or_else(gone)
    }
}

impl Reading for PostgresTransaction<'_> {
    fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.crash.ran();
        self.line()?.query(sql, params, row)
    }

    fn known_tip(&self) -> Option<Tip> {
        self.line().ok()?.answers().tip()
    }

    fn learn_tip(&self, tip: &Tip) {
        if let Ok(line) = self.line() {
            line.answers().put_tip(tip);
        }
    }
}

impl Writing for PostgresTransaction<'_> {
    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64, StoreError> {
        let changed = self.line()?.writing()?.execute(sql, params)?;
        self.crash.wrote();
        Ok(changed)
    }

    fn execute_unseen(&self, sql: &str, params: &[Value<'_>]) -> Result<(), StoreError> {
        self.line()?.writing()?.send(sql, params)?;
        self.crash.wrote();
        Ok(())
    }

    fn execute_returning(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.line()?.writing()?.query(sql, params, row)?;
        self.crash.wrote();
        Ok(())
    }

    fn add(&self, to: &'static Table, row: &[Value<'_>]) -> Result<(), StoreError> {
        self.line()?.add(to, row)?;
        self.crash.wrote();
        Ok(())
    }

    fn add_new(&self, to: &'static Table, find: &str, row: &[Value<'_>]) -> Result<bool, StoreError> {
        let added = self.line()?.add_new(to, find, row)?;
        self.crash.wrote();
        Ok(added)
    }

    fn execute_last(&self, sql: &'static str, params: &[Value<'_>]) -> Result<(), StoreError> {
        self.line()?.put_last(sql, params);
        self.crash.wrote();
        Ok(())
    }

    fn announce(&self) -> Result<(), StoreError> {
        self.line()?.announce();
        Ok(())
    }

    fn commit(mut self) -> Result<(), StoreError> {
        self.turn.take().ok_or_else(gone)?.keep(self.crash)
    }
}

impl Drop for PostgresTransaction<'_> {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take() {
            turn.give_up(self.crash);
        }
    }
}
