//! Databases behind the core's `Store` trait.

mod faults;
mod group;
pub mod moving;
pub mod postgres;
mod sql;
pub mod sqlite;
mod tables;

pub use self::faults::CrashPoint;
pub use self::tables::TablesError;

use std::path::PathBuf;
use std::sync::Arc;

use countersign_server_core::store::{Store, StoreError};

use self::postgres::{Address, PostgresStore};
use self::sqlite::SqliteStore;

/// Where a server keeps what it knows.
#[derive(Debug, Clone)]
pub enum Database {
    /// In a file of its own.
    Sqlite(PathBuf),
    /// On a PostgreSQL server, which several servers may share.
    Postgres(Address),
}

impl Database {
    /// Makes the tables of a new server. A file must be there, private and empty.
    ///
    /// # Errors
    /// [`StoreError`], also where there is a server already.
    pub fn create(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(SqliteStore::create(path)?),
            Self::Postgres(address) => Arc::new(PostgresStore::create(address.clone())?),
        })
    }

    /// Opens the tables of a server, and brings them up to this program's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(&self, crash: CrashPoint) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(SqliteStore::open(path, crash)?),
            Self::Postgres(address) => Arc::new(PostgresStore::open(address.clone(), crash)?),
        })
    }

    /// Opens the tables of a server as they are, for who does its jobs: changes none, and reads nothing that the API's user may
    /// not.
    ///
    /// # Errors
    /// [`TablesError`], also where they are of another version than this program's.
    pub fn open_for_api(&self) -> Result<Arc<dyn Store>, TablesError> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(SqliteStore::open_as_it_is(path)?),
            Self::Postgres(address) => Arc::new(PostgresStore::open_for_api(address.clone())?),
        })
    }
}
