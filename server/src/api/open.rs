//! What does jobs, from a folder without a secret: `server.toml`, `ledger.pub`, and the password of the database if it has one.

use std::sync::Arc;

use countersign_protocol::clock::SystemClock;
use countersign_protocol::ledger::LedgerKey;
use countersign_protocol::random::SystemRandom;
use countersign_server_core::api::Api;
use countersign_server_core::stop::Failure;
use countersign_server_core::store::{Store, StoreError};

use crate::open::{self, check_owner};
use crate::store::{Database, TablesError};

/// Jobs cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// It is not the one whose ledger we know.
    #[error("{}", foreign(.0))]
    Server(#[from] open::OpenError),
    /// No randomness.
    #[error(transparent)]
    Failure(#[from] Failure),
}

fn foreign(error: &open::OpenError) -> String {
    match error {
        open::OpenError::Foreign => "the ledger in the database is not the one of ledger.pub in the data folder: look at \
                                     [store] in server.toml, or copy ledger.pub from the auth server once more"
            .into(),
        other => other.to_string(),
    }
}

impl OpenError {
    /// Whether it may be over in a moment, without anybody's doing: the database is away, or not there yet.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(
            self,
            Self::Tables(TablesError::Store(StoreError::Unavailable(_)))
                | Self::Server(open::OpenError::Store(StoreError::Unavailable(_)))
        )
    }
}

/// What does jobs, and where.
pub struct Opened {
    /// One for each thread.
    pub apis: Vec<Api>,
    /// The database.
    pub store: Arc<dyn Store>,
}

/// Opens `database`, which must hold the ledger of this key, for so many threads.
///
/// # Errors
/// [`OpenError`].
pub fn open(database: &Database, ledger: &LedgerKey, workers: u16) -> Result<Opened, OpenError> {
    let store = database.open_for_api()?;
    check_owner(&*store, ledger)?;
    let api = |_| Api::new(store.clone(), Arc::new(SystemClock), &SystemRandom, ledger.clone());
    let apis = (0..workers).map(api).collect::<Result<_, _>>()?;
    Ok(Opened { apis, store })
}
