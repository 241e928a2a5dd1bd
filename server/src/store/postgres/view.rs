//! A snapshot of what is committed.

use countersign_server_core::store::StoreError;

use super::super::sql::{Reading, Row, Snapshot, Value};
use super::PostgresStore;
use super::connection::Connection;

/// One connection with a snapshot open; it goes back to the others when this is dropped.
pub(super) struct PostgresView<'a> {
    store: &'a PostgresStore,
    connection: Option<Connection>,
}

impl<'a> PostgresView<'a> {
    pub(super) fn begin(store: &'a PostgresStore, connection: Connection) -> Self {
        // On its way with the first question: until then there is nothing to see.
        connection.send_batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        Self { store, connection: Some(connection) }
    }
}

impl Reading for PostgresView<'_> {
    fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let closed = || StoreError::Unavailable("the snapshot is closed".into());
        self.connection.as_ref().ok_or_else(closed)?.query(sql, params, row)
    }
}

impl Snapshot for PostgresView<'_> {}

impl Drop for PostgresView<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.let_go();
            self.store.put_back(connection);
        }
    }
}
