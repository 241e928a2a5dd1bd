//! PostgreSQL: for more than one server on one database.
//!
//! A message's transaction runs at READ COMMITTED under a lock of its turn ([`Turn`]), which all servers on the database
//! share; what decides is one conditional statement on one row all the same. Whoever loses the connection in the middle
//! did nothing. Where it is lost during the commit, nobody knows: that too is an error, and the same bytes sent again
//! find either their reply or nothing.

mod address;
mod connection;
mod listening;
mod session;
mod transaction;
mod values;
mod view;

pub use self::address::{Address, BadAddress};
pub use super::faults::CrashPoint;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_server_core::changes::Listener;
use countersign_server_core::store::{Store, StoreError, Transaction, Turn, View};

use self::connection::Connection;
use self::listening::Listening;
use self::transaction::PostgresTransaction;
use self::view::PostgresView;
use super::sql::Sql;

/// Connections that are kept for the next message. There are never more at once than threads that work on messages.
const KEPT: usize = 64;

/// How long a database that said nothing is waited for by those who come next: their messages are turned away soon, and do not
/// keep everybody's places.
const SHORT: Duration = Duration::from_secs(3);

/// A database on a PostgreSQL server.
pub struct PostgresStore {
    address: Address,
    idle: Mutex<Vec<Connection>>,
    /// Who hears of what other servers changed.
    listening: Mutex<Option<Listening>>,
    /// What our own notices are told by.
    own: String,
    /// An answer was waited for in vain, and nobody has heard of the database since.
    silent: AtomicBool,
    crash: CrashPoint,
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
        session::migrate(connection, &address)?;
        Self::new(address, crash)
    }

    fn new(address: Address, crash: CrashPoint) -> Result<Self, StoreError> {
        let connection = Connection::open(&address)?;
        let own = session::fresh_name(&connection)?;
        let idle = Mutex::new(vec![connection]);
        Ok(Self { address, idle, listening: Mutex::default(), own, silent: AtomicBool::new(false), crash })
    }

    /// A transaction that nobody else writes beside, for as much as there is.
    pub(super) fn writing(&self) -> Result<Sql<PostgresTransaction<'_>>, StoreError> {
        let connection = self.connection()?;
        connection.take_time()?;
        Ok(Sql::over(PostgresTransaction::begin(self, connection, Turn::Alone)?))
    }

    /// A connection that was alive a moment ago.
    fn connection(&self) -> Result<Connection, StoreError> {
        if self.silent.load(Ordering::Relaxed) {
            let connection = Connection::open_within(&self.address, SHORT)?;
            self.silent.store(false, Ordering::Relaxed);
            return Ok(connection);
        }
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(connection) if connection.is_alive() => return Ok(connection),
                // The database was restarted, or an administrator ended it.
                Some(_dead) => {}
                None => return Connection::open(&self.address),
            }
        }
    }

    fn put_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.fell_silent() {
            self.silent.store(true, Ordering::Relaxed);
            // Behind a proxy the others look alive, and each of them would be waited for as long.
            idle.clear();
        }
        if idle.len() < KEPT && connection.is_usable() {
            idle.push(connection);
        }
    }
}

impl Store for PostgresStore {
    fn begin(&self, turn: Turn) -> Result<Box<dyn Transaction + '_>, StoreError> {
        Ok(Box::new(Sql::over(PostgresTransaction::begin(self, self.connection()?, turn)?)))
    }

    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        Ok(Box::new(Sql::over(PostgresView::begin(self, self.connection()?))))
    }

    fn listen(&self, listener: Listener) {
        let listening = Listening::begin(self.address.clone(), self.own.clone(), listener);
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = Some(listening);
    }
}
