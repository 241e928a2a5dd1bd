//! What is committed, for who only reads.

use countersign_server_core::store::StoreError;

use super::super::sql::{Question, Reading, Row, Snapshot, Value};
use super::answers::Answers;
use super::connection::Connection;
use super::pool::Pool;

/// One connection; it goes back to the others when this is dropped.
pub(super) struct PostgresView<'a> {
    pool: &'a Pool,
    is_snapshot: bool,
    connection: Option<Connection>,
    answers: Answers,
}

impl<'a> PostgresView<'a> {
    /// All that it says is of one moment.
    pub(super) fn snapshot(pool: &'a Pool) -> Result<Self, StoreError> {
        let connection = pool.take()?;
        // On its way with the first question: until then there is nothing to see.
        connection.send_batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        Ok(Self { pool, is_snapshot: true, connection: Some(connection), answers: Answers::default() })
    }

    /// Each answer is of the moment when it is asked.
    pub(super) fn glance(pool: &'a Pool) -> Result<Self, StoreError> {
        let connection = Some(pool.take()?);
        Ok(Self { pool, is_snapshot: false, connection, answers: Answers::default() })
    }

    fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or_else(|| StoreError::Unavailable("the snapshot is closed".into()))
    }
}

impl Reading for PostgresView<'_> {
    fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.answers.query(sql, params, row, || self.connection())
    }

    fn looks_ahead(&self) -> bool {
        true
    }

    fn look_ahead(&self, questions: Vec<Question>) -> Result<(), StoreError> {
        let lacking = self.answers.lacking(questions);
        if lacking.is_empty() {
            return Ok(());
        }
        let connection = self.connection()?;
        let found = connection.answer(connection.ask(&lacking)?)?;
        self.answers.put(lacking, found)
    }
}

impl Snapshot for PostgresView<'_> {}

impl Drop for PostgresView<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            if self.is_snapshot {
                connection.let_go();
            }
            self.pool.put_back(connection);
        }
    }
}
