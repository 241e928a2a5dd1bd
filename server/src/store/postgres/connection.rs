//! One connection: statements that are waited for, and statements that are only sent.

mod events;

pub(super) use self::events::Wire;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use countersign_server_core::store::StoreError;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Error, Statement};

use self::events::Events;
use super::super::sql::{Row, Value};
use super::address::Address;
use super::session;
use super::values::{Kept, borrowed, is_for, kept, type_of};

/// A connection to the database, with one transaction at a time.
pub(super) struct Connection {
    client: Arc<Client>,
    events: Events,
    statements: RefCell<HashMap<String, Vec<Statement>>>,
    /// Something went wrong: whatever is committed now would not be all of it.
    failed: Cell<bool>,
}

impl Connection {
    /// Connects, and sets up what every transaction counts on.
    pub(super) fn open(address: &Address) -> Result<Self, StoreError> {
        let connection = Self::bare(address)?;
        session::prepare(&connection, address)?;
        Ok(connection)
    }

    /// Connects.
    pub(super) fn bare(address: &Address) -> Result<Self, StoreError> {
        let (client, events) = Events::connect(address)?;
        Ok(Self {
            client: Arc::new(client),
            events,
            statements: RefCell::default(),
            failed: Cell::new(false),
        })
    }

    /// Whether the other end is still there, as far as can be seen without asking.
    pub(super) fn is_alive(&self) -> bool {
        self.events.look().is_ok_and(|before| before.is_none()) && self.is_usable()
    }

    /// Whether another transaction may begin on it. After an error a new connection is cheaper than finding out what is
    /// left of this one.
    pub(super) fn is_usable(&self) -> bool {
        self.events.are_going_on() && !self.failed.get()
    }

    /// Runs statements without parameters, and waits for them.
    pub(super) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.finish(self.client.batch_execute(sql))
    }

    /// Sends statements without parameters; what becomes of them is found out by whoever waits next.
    pub(super) fn send_batch(&self, sql: &str) {
        let (client, sql) = (Arc::clone(&self.client), sql.to_owned());
        self.events.send(Box::pin(async move { client.batch_execute(&sql).await }));
    }

    /// Runs a statement, and waits for the number of rows that it changed.
    pub(super) fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64, StoreError> {
        let statement = self.statement(sql, params)?;
        let params = borrowed(params, &statement)?;
        self.finish(self.client.execute(&statement, &params))
    }

    /// Sends a statement; what becomes of it is found out by whoever waits next.
    pub(super) fn send(&self, sql: &str, params: &[Value<'_>]) -> Result<(), StoreError> {
        let (client, statement) = (Arc::clone(&self.client), self.statement(sql, params)?);
        let params = kept(params, &statement)?;
        self.events.send(Box::pin(async move {
            let params: Vec<_> = params.iter().map(Kept::parameter).collect();
            client.execute(&statement, &params).await.map(drop)
        }));
        Ok(())
    }

    /// Runs a statement, and hands each row to `row` until that says `false`.
    pub(super) fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let statement = self.statement(sql, params)?;
        let params = borrowed(params, &statement)?;
        for found in self.finish(self.client.query(&statement, &params))? {
            if !row(&Row::Postgres(&found))? {
                break;
            }
        }
        Ok(())
    }

    /// Ends a transaction that changed nothing, or must not. Waits for nothing.
    pub(super) fn let_go(&self) {
        self.send_batch("ROLLBACK");
        // Onto the wire with it: others may wait for what it holds.
        let _seen_by_the_next = self.finish(std::future::ready(Ok(())));
    }

    /// Ends the transaction: all of it, or an error.
    pub(super) fn commit(&self) -> Result<(), StoreError> {
        // The server answers a COMMIT of what has failed with a rollback, and calls that success.
        if self.failed.get() {
            self.let_go();
            return Err(StoreError::Unavailable("a statement of this transaction had failed".into()));
        }
        self.batch("COMMIT")
    }

    /// Waits for what the server says without being asked; nothing once `stop` is done or the connection is over.
    pub(super) fn hear(&self, stop: impl Future<Output = ()>) -> Option<AsyncMessage> {
        self.events.hear(stop)
    }

    /// Lends the client, before anything else was done with this connection.
    pub(super) fn lend<T>(&mut self, work: impl AsyncFnOnce(&mut Client) -> T) -> Result<T, StoreError> {
        let in_use = || StoreError::Unavailable("the connection is in use".into());
        let client = Arc::get_mut(&mut self.client).ok_or_else(in_use)?;
        Ok(self.events.wait(work(client))?.0)
    }

    /// The statement as it was prepared for values of these types; the type of a NULL is whatever it was then.
    fn statement(&self, sql: &str, params: &[Value<'_>]) -> Result<Statement, StoreError> {
        let known = self
            .statements
            .borrow()
            .get(sql)
            .and_then(|known| known.iter().find(|statement| is_for(params, statement)).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let types: Vec<Type> = params.iter().map(type_of).collect();
        let statement = self.finish(self.client.prepare_typed(sql, &types))?;
        self.statements.borrow_mut().entry(sql.to_owned()).or_default().push(statement.clone());
        Ok(statement)
    }

    /// Waits for an answer. If something that was sent before went wrong, that is the answer.
    fn finish<T>(&self, asked: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        let (answer, before) = self.events.wait(asked)?;
        let answer = match before {
            Some(error) => Err(error),
            None => answer,
        };
        answer.map_err(|error| {
            self.failed.set(true);
            StoreError::Unavailable(told(&error))
        })
    }
}

/// What the server said, or why it said nothing.
pub(super) fn told(error: &Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("PostgreSQL says: {} ({})", said.message(), said.code().code()),
        None => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            text
        }
    }
}
