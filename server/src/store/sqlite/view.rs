//! A snapshot of what is committed.

use countersign_server_core::store::StoreError;
use rusqlite::Connection;

use super::super::sql::{Reading, Row, Snapshot, Value};
use super::{SqliteStore, control, prepared, rows};

/// One read connection with a snapshot open; it goes back to the others when this is dropped.
pub(super) struct SqliteView<'a> {
    store: &'a SqliteStore,
    connection: Option<Connection>,
}

impl<'a> SqliteView<'a> {
    pub(super) fn new(store: &'a SqliteStore, connection: Connection) -> Result<Self, StoreError> {
        control(&connection, "BEGIN")?;
        Ok(Self { store, connection: Some(connection) })
    }
}

impl Reading for SqliteView<'_> {
    fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let closed = || StoreError::Unavailable("the snapshot is closed".into());
        rows(prepared(self.connection.as_ref().ok_or_else(closed)?, sql, params)?, row)
    }
}

impl Snapshot for SqliteView<'_> {}

impl Drop for SqliteView<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && control(&connection, "ROLLBACK").is_ok()
        {
            self.store.put_back(connection);
        }
    }
}
