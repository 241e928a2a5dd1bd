//! One connection: statements that are waited for, and statements that are only sent.

mod events;

pub(super) use self::events::{PATIENCE, Wire};

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use countersign_server_core::store::StoreError;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Error, Row as Found, Statement};

use self::events::Events;
use super::super::sql::{Question, Row, Value};
use super::address::Address;
use super::answers;
use super::session;
use super::values::{Column, Kept, borrowed, is_for, kept, type_of};

/// Most statements that are on their way at once: what is sent and not waited for lies in memory until then.
const UNANSWERED: usize = 500;

/// What takes its time once, and nobody waits for: new tables, all rows of a server.
const LONG: Duration = Duration::from_secs(11 * 60);

/// What the database is told of that: it gives up before we do.
const LONG_SETTINGS: &str =
    "SET statement_timeout = '10min'; SET idle_in_transaction_session_timeout = '10min'";

/// A question that was asked, and whose answer was not waited for yet.
pub(super) type Asked = Pin<Box<dyn Future<Output = Result<Found, Error>> + Send>>;

/// A connection to the database, with one transaction at a time.
pub(super) struct Connection {
    client: Arc<Client>,
    events: Events,
    statements: RefCell<HashMap<String, Vec<Statement>>>,
    /// Something went wrong: whatever is committed now would not be all of it.
    failed: Cell<bool>,
    silent: Cell<bool>,
}

impl Connection {
    /// Connects, and sets up what every transaction counts on.
    pub(super) fn open(address: &Address) -> Result<Self, StoreError> {
        Self::open_within(address, PATIENCE)
    }

    /// The same, for who will not wait long.
    pub(super) fn open_within(address: &Address, patience: Duration) -> Result<Self, StoreError> {
        let connection = Self::bare(address, patience)?;
        session::prepare(&connection, address)?;
        connection.events.be_patient(PATIENCE);
        Ok(connection)
    }

    /// Connects.
    pub(super) fn bare(address: &Address, patience: Duration) -> Result<Self, StoreError> {
        let (client, events) = Events::connect(address, patience)?;
        Ok(Self {
            client: Arc::new(client),
            events,
            statements: RefCell::default(),
            failed: Cell::new(false),
            silent: Cell::new(false),
        })
    }

    /// From here on a statement may take minutes.
    pub(super) fn take_time(&self) -> Result<(), StoreError> {
        self.events.be_patient(LONG);
        self.batch(LONG_SETTINGS)
    }

    /// Whether an answer was waited for in vain.
    pub(super) fn fell_silent(&self) -> bool {
        self.silent.get()
    }

    /// Whether the other end is still there, as far as can be seen without asking.
    pub(super) fn is_alive(&self) -> bool {
        self.events.look().is_ok_and(|before| before.is_none()) && self.is_usable()
    }

    /// Whether the connection has not ended yet.
    pub(super) fn is_going_on(&self) -> bool {
        self.events.are_going_on()
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

    /// Sends a statement; what becomes of it is found out by whoever waits next. Where too many are on their way, that is us.
    pub(super) fn send(&self, sql: &str, params: &[Value<'_>]) -> Result<(), StoreError> {
        if self.events.unanswered() >= UNANSWERED {
            return self.execute(sql, params).map(drop);
        }
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
            if !row(&Row::Postgres(&found, 0))? {
                break;
            }
        }
        Ok(())
    }

    /// The same of many rows at once, as [`Table::add_columns`](super::super::sql::Table::add_columns) wants them.
    pub(super) fn send_columns(&self, sql: &str, columns: Vec<Column>) -> Result<(), StoreError> {
        let types: Vec<Type> = columns.iter().map(Column::type_of).collect();
        let statement = self.prepared(sql, types, |_| true)?;
        let client = Arc::clone(&self.client);
        self.events.send(Box::pin(async move {
            let params: Vec<_> = columns.iter().map(Column::parameter).collect();
            client.execute(&statement, &params).await.map(drop)
        }));
        Ok(())
    }

    /// Asks all of these. The answer is waited for by [`Self::answer`].
    pub(super) fn ask(&self, questions: &[Question]) -> Result<Asked, StoreError> {
        let names: Vec<_> = questions.iter().filter_map(Question::name).collect();
        let statement = self.statement(&answers::together(questions), &names)?;
        let (client, names) = (Arc::clone(&self.client), kept(&names, &statement)?);
        let mut asked: Asked = Box::pin(async move {
            let names: Vec<_> = names.iter().map(Kept::parameter).collect();
            client.query_one(&statement, &names).await
        });
        // It takes its place among the others when it is polled first, and cannot be answered yet.
        Ok(match asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => asked,
            Poll::Ready(answer) => Box::pin(std::future::ready(answer)),
        })
    }

    /// Waits for the answer.
    pub(super) fn answer(&self, asked: Asked) -> Result<Found, StoreError> {
        self.finish(asked)
    }

    /// Nobody wants the answer any more. An error would count all the same.
    pub(super) fn let_come(&self, asked: Asked) {
        self.events.send(Box::pin(async move { asked.await.map(drop) }));
    }

    /// What was sent is on its way: nobody is waited for.
    pub(super) fn push(&self) -> Result<(), StoreError> {
        self.finish(std::future::ready(Ok(())))
    }

    /// Goes on after an error with this, which takes back whatever it was about: also what nobody waited for yet.
    pub(super) fn recover(&self, sql: &str) -> Result<(), StoreError> {
        self.failed.set(false);
        let (answer, _taken_back) = self.waited(self.client.batch_execute(sql))?;
        self.told(answer)
    }

    /// Whether everything that was sent is answered.
    pub(super) fn is_settled(&self) -> bool {
        self.events.unanswered() == 0
    }

    /// Ends a transaction that changed nothing, or must not. Waits for nothing.
    pub(super) fn let_go(&self) {
        self.send_batch("ROLLBACK");
        // Onto the wire with it: others may wait for what it holds.
        let _seen_by_the_next = self.push();
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
        self.prepared(sql, params.iter().map(type_of).collect(), |statement| is_for(params, statement))
    }

    fn prepared(
        &self,
        sql: &str,
        types: Vec<Type>,
        fits: impl Fn(&Statement) -> bool,
    ) -> Result<Statement, StoreError> {
        let known = self
            .statements
            .borrow()
            .get(sql)
            .and_then(|known| known.iter().find(|statement| fits(statement)).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let statement = self.finish(self.client.prepare_typed(sql, &types))?;
        self.statements.borrow_mut().entry(sql.to_owned()).or_default().push(statement.clone());
        Ok(statement)
    }

    /// Waits for an answer. If something that was sent before went wrong, that is the answer.
    fn finish<T>(&self, asked: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        let (answer, before) = self.waited(asked)?;
        self.told(match before {
            Some(error) => Err(error),
            None => answer,
        })
    }

    fn waited<T>(&self, asked: impl Future<Output = T>) -> Result<(T, Option<Error>), StoreError> {
        self.events.wait(asked).inspect_err(|_| {
            self.failed.set(true);
            self.silent.set(true);
        })
    }

    fn told<T>(&self, answer: Result<T, Error>) -> Result<T, StoreError> {
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
