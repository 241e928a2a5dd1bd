//! Databases behind the core's `Store` trait.

mod faults;
mod group;
pub mod moving;
pub mod postgres;
mod sql;
pub mod sqlite;

pub use self::faults::CrashPoint;

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
}
