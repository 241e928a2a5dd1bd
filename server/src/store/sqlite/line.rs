//! The one connection that writes.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_server_core::store::StoreError;
use rusqlite::Connection;

use super::super::group::Line;
use super::checkpoints::cut_off;
use super::{PATIENCE, control, unavailable, writer};

/// It, and what is to be done about what it deletes.
pub(in super::super) struct SqliteLine {
    pub(in super::super) connection: Connection,
    path: PathBuf,
    /// There is a savepoint.
    apart: bool,
    /// Somebody in the group has what was deleted overwritten.
    pub(in super::super) wiping: Cell<bool>,
}

impl SqliteLine {
    /// With this connection to the file at `path`.
    pub(in super::super) fn new(path: &Path, connection: Connection) -> Self {
        Self { connection, path: path.to_owned(), apart: false, wiping: Cell::new(false) }
    }

    /// What is deleted is not to lie in the log of writes either.
    pub(super) fn wipe(&self) {
        self.wiping.set(true);
    }
}

impl Line for SqliteLine {
    /// An answer is there as soon as it is asked for.
    type Questions = ();

    fn begin(&mut self) -> Result<(), StoreError> {
        self.apart = false;
        // A rollback that failed left its transaction open: nothing of it may get into the next one.
        if !self.connection.is_autocommit() && control(&self.connection, "ROLLBACK").is_err() {
            self.connection = writer(&self.path).map_err(unavailable)?;
        }
        control(&self.connection, "BEGIN IMMEDIATE")
    }

    /// On a full or broken disk SQLite gives it up by itself, and what is written after that would be committed by itself.
    fn is_open(&self) -> bool {
        !self.connection.is_autocommit()
    }

    fn set_apart(&mut self) -> Result<(), StoreError> {
        control(&self.connection, "SAVEPOINT member")?;
        self.apart = true;
        Ok(())
    }

    fn expect(&mut self, _own: (u64, ()), _others: Vec<(u64, ())>) -> Result<(), StoreError> {
        Ok(())
    }

    fn join(&mut self) -> Result<(), StoreError> {
        if self.apart {
            control(&self.connection, "RELEASE member")?;
            self.apart = false;
        }
        Ok(())
    }

    fn take_back(&mut self) -> Result<(), StoreError> {
        control(&self.connection, "ROLLBACK TO member")?;
        control(&self.connection, "RELEASE member")?;
        self.apart = false;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        control(&self.connection, "COMMIT")
    }

    fn roll_back(&mut self) {
        // SQLite may have done it by itself. What is left of it is ended at the next turn, if it cannot be now.
        let _already_gone = control(&self.connection, "ROLLBACK");
    }

    /// What was deleted lies in the log of writes too, until it is written into the file and cut off. Whoever reads right now puts
    /// that off to the next commit: nobody waits for them.
    fn after(&mut self) {
        if !self.wiping.get() {
            return;
        }
        let cut = self.connection.busy_timeout(Duration::ZERO).and_then(|()| cut_off(&self.connection));
        let _as_long = self.connection.busy_timeout(PATIENCE);
        if cut == Ok(true) {
            // Where that fails, more is overwritten than must be.
            self.wiping.set(self.connection.pragma_update(None, "secure_delete", "FAST").is_err());
        }
    }
}
