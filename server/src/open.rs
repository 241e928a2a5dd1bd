//! A core from what `init` left.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_protocol::clock::{Clock, SystemClock};
use countersign_protocol::ledger::LedgerKey;
use countersign_protocol::random::{Random, SystemRandom};
use countersign_server_core::core::{Core, Parts};
use countersign_server_core::ledger::Ledger;
use countersign_server_core::outbox::Reach;
use countersign_server_core::roster::Rules;
use countersign_server_core::secrets::{Pepper, StoreKey};
use countersign_server_core::stop::Failure;
use countersign_server_core::store::{Store, StoreError};
use secrecy::SecretString;

use crate::config;
use crate::data::{DataError, DataFolder, read_private};
use crate::own_keys::{self, Primary};
use crate::policy::{self, ImportError};
use crate::store::{CrashPoint, Database};

/// The server cannot be brought up from its folder.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a key.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its ledger was not signed with our key.
    #[error(
        "the database does not belong to the keys in the data folder: look at `data` and [store] in server.toml"
    )]
    Foreign,
    /// The first policy.
    #[error(transparent)]
    Policy(#[from] ImportError),
    /// The policies in the database.
    #[error(
        "{0}\nNothing would be decided with these policies. Correct them here: countersign-server policy import --config \
         FILE DOCUMENT"
    )]
    Policies(Failure),
    /// The server's own keys.
    #[error("{0}")]
    Keys(String),
}

/// What the administrator decides beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charter {
    /// What hosts may do while they cannot reach this server, and what accounts are given.
    pub rules: Rules,
    /// How people are reached, and who may register alone.
    pub reach: Reach,
    /// For how many days a pair of the server's subkeys is used.
    pub rotate_days: u32,
}

impl From<Rules> for Charter {
    fn from(rules: Rules) -> Self {
        Self { rules, reach: Reach::default(), rotate_days: config::Keys::default().rotate_days }
    }
}

/// Opens the server whose keys are in `folder`, with the ambient clock and randomness.
///
/// # Errors
/// [`OpenError`].
pub fn open(
    folder: &DataFolder,
    database: &Database,
    url: &str,
    charter: Charter,
    crash: CrashPoint,
) -> Result<Core, OpenError> {
    open_with(folder, database, url, charter, crash, Arc::new(SystemClock), Arc::new(SystemRandom))
}

/// Opens the server whose keys are in `folder`.
///
/// # Errors
/// [`OpenError`].
pub fn open_with(
    folder: &DataFolder,
    database: &Database,
    url: &str,
    charter: impl Into<Charter>,
    crash: CrashPoint,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Core, OpenError> {
    let Charter { rules, reach, rotate_days } = charter.into();
    let keys = keys(folder)?;
    let store = database.open(crash)?;
    check_owner(&*store, keys.ledger.key())?;
    let identity = own_keys::identity(folder, &keys, &*store, url, rotate_days, clock.now(), &*random)?;
    let Keys { ledger, pepper, store_key, .. } = keys;
    policy::ensure(&*store, &ledger, &*clock, &*random)?;
    let core = Core::new(Parts {
        store,
        clock,
        random,
        identity: ArcSwap::from_pointee(identity),
        pepper,
        store_key,
        ledger,
        rules,
        reach,
    });
    core.policies().map_err(OpenError::Policies)?;
    Ok(core)
}

/// Keys and database belong together where the ledger's newest checkpoint is signed with our key.
///
/// # Errors
/// [`OpenError::Foreign`].
pub fn check_owner(store: &dyn Store, ledger: &LedgerKey) -> Result<(), OpenError> {
    let newest = store.view()?.checkpoint().map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let (_, note) = newest.ok_or(OpenError::Foreign)?;
    ledger.checkpoint(&note).map(drop).map_err(|_| OpenError::Foreign)
}

/// Everything in the folder but the database.
pub struct Keys {
    /// The server's primary key; its secret may lie elsewhere.
    pub primary: Primary,
    /// The log's writer.
    pub ledger: Ledger,
    /// The key under the digests of codes.
    pub pepper: Pepper,
    /// The key that seals what rests in the store.
    pub store_key: StoreKey,
}

/// Reads the keys, and changes nothing.
///
/// # Errors
/// [`DataError`].
pub fn keys(folder: &DataFolder) -> Result<Keys, DataError> {
    folder.check()?;
    keys_in(folder)
}

/// The same in a folder that has no database yet.
///
/// # Errors
/// [`DataError`].
pub fn keys_in(folder: &DataFolder) -> Result<Keys, DataError> {
    let content = |path: PathBuf| move |what: String| DataError::Content { path, what };
    let primary = Primary::read(folder)?;
    let ledger = open_ledger(folder)?;
    if ledger.key().server() != primary.fingerprint() {
        return Err(content(folder.ledger_key())("it is the key of another server's ledger".into()));
    }
    Ok(Keys {
        primary,
        ledger,
        pepper: Pepper::new(thirty_two(folder.pepper())?),
        store_key: StoreKey::new(thirty_two(folder.store_key())?),
    })
}

/// Two lines: the signer key and the verifier key.
fn open_ledger(folder: &DataFolder) -> Result<Ledger, DataError> {
    let path = folder.ledger_key();
    let wrong = |what: String| DataError::Content { path: path.clone(), what };
    let bytes = read_private(&path)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| wrong(error.to_string()))?;
    let (secret, public) = text.trim_end().split_once('\n').ok_or_else(|| wrong("not two lines".into()))?;
    let public = public.parse().map_err(|error| wrong(format!("{error}")))?;
    Ledger::open(&SecretString::from(secret), public).map_err(|error| wrong(error.to_string()))
}

fn thirty_two(path: PathBuf) -> Result<[u8; 32], DataError> {
    let bytes = read_private(&path)?;
    bytes
        .as_slice()
        .try_into()
        .map_err(|_| DataError::Content { path, what: format!("{} bytes instead of 32", bytes.len()) })
}
