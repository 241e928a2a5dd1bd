//! One message's transaction.

use countersign_protocol::ids::Digest;
use countersign_server_core::store::{StoreError, Turn};

use super::super::sql::{Reading, Row, Value, Writing};
use super::PostgresStore;
use super::connection::Connection;

/// Every server on the database shares this lock for a shared turn, and has it alone for another. The first half of its
/// name is ours; 0 behind it is the lock of migrations.
const TURN: &str = "(1668509551, 1)";

/// A connection with a transaction open; it goes back to the others when this is dropped.
pub(in crate::store) struct PostgresTransaction<'a> {
    store: &'a PostgresStore,
    connection: Option<Connection>,
}

impl<'a> PostgresTransaction<'a> {
    pub(super) fn begin(
        store: &'a PostgresStore,
        connection: Connection,
        turn: Turn,
    ) -> Result<Self, StoreError> {
        let lock = match turn {
            Turn::Shared => "pg_advisory_xact_lock_shared",
            Turn::Alone => "pg_advisory_xact_lock",
        };
        let this = Self { store, connection: Some(connection) };
        // Each statement sees what was committed when it began: those after the lock see what was done before it.
        this.connection()?
            .batch(&format!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT {lock} {TURN}"))?;
        Ok(this)
    }

    fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or_else(|| StoreError::Unavailable("the transaction is over".into()))
    }
}

impl Reading for PostgresTransaction<'_> {
    fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.store.crash.ran();
        self.connection()?.query(sql, params, row)
    }
}

impl Writing for PostgresTransaction<'_> {
    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64, StoreError> {
        let changed = self.connection()?.execute(sql, params)?;
        self.store.crash.wrote();
        Ok(changed)
    }

    fn execute_unseen(&self, sql: &str, params: &[Value<'_>]) -> Result<(), StoreError> {
        self.connection()?.send(sql, params)?;
        self.store.crash.wrote();
        Ok(())
    }

    fn execute_returning(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.connection()?.query(sql, params, row)?;
        self.store.crash.wrote();
        Ok(())
    }

    fn hold(&self, sql: &str, params: &[Value<'_>]) -> Result<(), StoreError> {
        self.store.crash.ran();
        self.connection()?.send(&format!("{sql} FOR UPDATE"), params)
    }

    fn hold_name(&self, kind: &str, name: &[u8]) -> Result<(), StoreError> {
        let digest = Digest::of(&[kind.as_bytes(), b" ", name].concat());
        let mut number = [0; 8];
        number.copy_from_slice(digest.as_bytes().first_chunk::<8>().unwrap_or(&[0; 8]));
        let number = Value::Integer(i64::from_be_bytes(number));
        self.connection()?.send("SELECT pg_advisory_xact_lock($1)", &[number])
    }

    fn announce(&self) -> Result<(), StoreError> {
        self.connection()?.send("SELECT pg_notify('countersign', $1)", &[Value::Text(&self.store.own)])
    }

    fn commit(mut self) -> Result<(), StoreError> {
        let over = || StoreError::Unavailable("the transaction is over".into());
        let connection = self.connection.take().ok_or_else(over)?;
        let committed = connection.commit();
        if committed.is_ok() {
            self.store.crash.wrote();
        }
        self.store.put_back(connection);
        committed
    }
}

impl Drop for PostgresTransaction<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.let_go();
            self.store.put_back(connection);
        }
    }
}
