//! PostgreSQL: for more than one server on one database.
//!
//! Whoever writes has a lock that all servers on the database share, and what decides is one conditional statement on one row
//! all the same; several messages share one transaction. Whoever loses the connection in the middle did nothing. Where it is
//! lost during the commit, nobody knows: that too is an error, and the same bytes sent again find either their reply or
//! nothing.

mod address;
mod answers;
mod connection;
mod grants;
mod line;
mod listening;
mod pending;
mod pool;
mod session;
mod transaction;
mod values;
mod view;

pub use self::address::{Address, BadAddress};
pub use self::grants::{BadName, Grants, RoleName};
pub use super::faults::CrashPoint;

use std::sync::{Arc, Mutex, PoisonError};

use countersign_server_core::changes::Listener;
use countersign_server_core::store::{Expected, Store, StoreError, Transaction, View};

use self::connection::Connection;
use self::line::PostgresLine;
use self::listening::Listening;
use self::pool::Pool;
use self::transaction::PostgresTransaction;
use self::view::PostgresView;
use super::group::Writer;
use super::sql::{Question, Sql};
use super::tables::TablesError;

/// A database on a PostgreSQL server.
pub struct PostgresStore {
    /// For those who only read.
    pool: Arc<Pool>,
    writer: Writer<PostgresLine>,
    /// Who hears of what other servers changed.
    listening: Mutex<Option<Listening>>,
    /// What our own notices are told by.
    own_name: String,
    crash: CrashPoint,
    /// Whether a turn begins by asking what each message of a host asks. The API asks none of it, and may not.
    asks_ahead: bool,
}

impl PostgresStore {
    /// Makes the tables in a database that no server was made in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn create(address: Address) -> Result<Self, StoreError> {
        let connection = Connection::open(&address)?;
        if session::holds_a_server(&connection)? {
            return Err(StoreError::Unavailable(format!("{address} belongs to a server already")));
        }
        session::migrate(connection, &address)?;
        Self::new(address, CrashPoint::never())
    }

    /// Opens a database that a server was made in, and brings its tables up to this program's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(address: Address, crash: CrashPoint) -> Result<Self, StoreError> {
        let connection = Connection::open(&address)?;
        if !session::holds_a_server(&connection)? {
            let next = "`countersign-server init --postgres` makes one in it";
            return Err(StoreError::Unavailable(format!("{address} holds no server; {next}")));
        }
        session::bring_up(connection, &address)?;
        Self::new(address, crash)
    }

    /// Opens tables that are this program's, and changes none: as a user who may see but a few of them.
    ///
    /// # Errors
    /// [`TablesError`].
    pub fn open_for_api(address: Address) -> Result<Self, TablesError> {
        let connection = Connection::open(&address)?;
        session::compare(&connection, &address)?;
        drop(connection);
        Ok(Self { asks_ahead: false, ..Self::new(address, CrashPoint::never())? })
    }

    fn new(address: Address, crash: CrashPoint) -> Result<Self, StoreError> {
        let connection = Connection::open(&address)?;
        let own_name = session::fresh_name(&connection)?;
        let pool = Arc::new(Pool::new(address));
        pool.put_back(connection);
        let writer = Writer::new(PostgresLine::new(Arc::clone(&pool), own_name.clone()));
        Ok(Self { pool, writer, listening: Mutex::default(), own_name, crash, asks_ahead: true })
    }

    /// A transaction for as much as there is.
    pub(super) fn writing(&self) -> Result<Sql<PostgresTransaction<'_>>, StoreError> {
        let turn = self.writer.begin(&self.crash, Vec::new())?;
        turn.line().take_time()?;
        Ok(Sql::over(PostgresTransaction::of(turn, &self.crash)))
    }
}

impl Store for PostgresStore {
    fn begin_expecting(&self, rows: &[Expected<'_>]) -> Result<Box<dyn Transaction + '_>, StoreError> {
        let questions = if self.asks_ahead { Question::to_write(rows) } else { Vec::new() };
        let turn = self.writer.begin(&self.crash, questions)?;
        Ok(Box::new(Sql::over(PostgresTransaction::of(turn, &self.crash))))
    }

    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        Ok(Box::new(Sql::over(PostgresView::snapshot(&self.pool)?)))
    }

    fn glance(&self) -> Result<Box<dyn View + '_>, StoreError> {
        Ok(Box::new(Sql::over(PostgresView::glance(&self.pool)?)))
    }

    fn listen(&self, listener: Listener) {
        let listening = Listening::begin(self.pool.address.clone(), self.own_name.clone(), listener);
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = Some(listening);
    }
}
