//! A snapshot of what is committed.

use countersign_server_core::store::{StoreError, View};
use rusqlite::Connection;

use super::{SqliteStore, unavailable};

/// One read connection with a snapshot open; it goes back to the others when this is dropped.
pub(super) struct SqliteView<'a> {
    store: &'a SqliteStore,
    connection: Option<Connection>,
}

impl<'a> SqliteView<'a> {
    pub(super) fn new(store: &'a SqliteStore, connection: Connection) -> Result<Self, StoreError> {
        connection.execute_batch("BEGIN").map_err(unavailable)?;
        Ok(Self { store, connection: Some(connection) })
    }

    pub(super) fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or_else(|| StoreError::Unavailable("the snapshot is closed".into()))
    }
}

impl View for SqliteView<'_> {}

impl Drop for SqliteView<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && connection.execute_batch("ROLLBACK").is_ok()
        {
            self.store.put_back(connection);
        }
    }
}
