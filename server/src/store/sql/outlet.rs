//! How far the log was told to syslog.

use countersign_protocol::clock::Timestamp;
use countersign_server_core::ledger::OutletStore;
use countersign_server_core::store::StoreError;

use super::rows::{count, number, time};
use super::{Sql, Writing};

impl<D: Writing> OutletStore for Sql<D> {
    fn hold_outlet(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<Option<u64>, StoreError> {
        self.write(
            "INSERT INTO syslog_cursor (only_one, next) VALUES (1, 0) ON CONFLICT (only_one) DO NOTHING",
            (),
        )?;
        let next = self.write_returning(
            "UPDATE syslog_cursor SET holder = $1, until = $2
             WHERE only_one = 1 AND (holder IS NULL OR holder = $1 OR until <= $3) RETURNING next",
            (holder, time(until), time(now)),
            |row| row.get::<i64>(0),
        )?;
        next.map(|next| count(next, "syslog's place")).transpose()
    }

    fn told_outlet(&self, holder: &str, next: u64) -> Result<bool, StoreError> {
        let moved = self.write(
            "UPDATE syslog_cursor SET next = $2 WHERE only_one = 1 AND holder = $1 AND next <= $2",
            (holder, number(next)?),
        )?;
        Ok(moved == 1)
    }

    fn leave_outlet(&self, holder: &str) -> Result<(), StoreError> {
        self.write("UPDATE syslog_cursor SET holder = NULL, until = NULL WHERE holder = $1", [holder])?;
        Ok(())
    }
}
