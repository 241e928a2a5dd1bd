//! A new code for the first administrator, whose own died before it was used: nobody else could make one.

use countersign_protocol::clock::Clock;
use countersign_protocol::ids::{AccountName, CorrelationId};
use countersign_protocol::ledger::{Entry, EntryKind, Outcome};
use countersign_protocol::message::result::AccountCreated;
use countersign_protocol::random::{NoRandomness, Random};
use countersign_server_core::accounts::AccountState;
use countersign_server_core::jobs;
use countersign_server_core::ledger::{LedgerWriteError, StorageFailure};
use countersign_server_core::stop::Stop;
use countersign_server_core::store::{Store, StoreError, Transaction};

use crate::open::Keys;
use crate::store::sqlite::SqliteStore;

/// No code was made.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerWriteError),
    /// The kernel.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The code.
    #[error("{0}")]
    Code(#[from] Stop),
    /// Somebody else's account.
    #[error(
        "{wanted} is not the account that the server was made with ({first}). \
         An administrator makes its code: countersign admin user add {wanted}"
    )]
    NotTheFirst {
        /// Asked for.
        wanted: AccountName,
        /// Of the ledger's first entry.
        first: AccountName,
    },
    /// It needs no code.
    #[error(
        "the account {0} has its key already, so that no code is made here. \
         Another administrator must help whoever lost that key"
    )]
    HasKey(AccountName),
}

/// Makes the code, and an entry about it in the ledger.
///
/// # Errors
/// [`InviteError`]; then nothing was changed.
pub fn invite(
    store: &SqliteStore,
    keys: &Keys,
    wanted: &AccountName,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<AccountCreated, InviteError> {
    let now = clock.now();
    let mut tx = store.begin()?;
    let first = first_administrator(&*tx)?;
    if *wanted != first {
        return Err(InviteError::NotTheFirst { wanted: wanted.clone(), first });
    }
    let account = tx.account(wanted)?;
    if account.is_none_or(|account| account.state != AccountState::Invited) {
        return Err(InviteError::HasKey(first));
    }
    let created = jobs::new_code(&*tx, random, &keys.pepper, wanted, now)?;
    let mut entry = Entry::new(
        EntryKind::Bootstrap,
        now,
        CorrelationId::new(random)?,
        Outcome::Noted,
        "a new code for the first administrator was made on the server's own machine",
    );
    entry.account = Some(first);
    let _beside = keys.ledger.append(&mut *tx, &entry, None)?;
    let proof =
        keys.ledger.seal(&mut *tx)?.commit(|| tx.commit().map_err(|error| StorageFailure(error.into())))?;
    drop(proof);
    Ok(created)
}

fn first_administrator(tx: &dyn Transaction) -> Result<AccountName, InviteError> {
    let damaged = || LedgerWriteError::Damaged("its first entry names no administrator".into());
    let first = tx.entries(0, 1).map_err(LedgerWriteError::from)?.into_iter().next().ok_or_else(damaged)?;
    let entry = Entry::from_bytes(&first.entry.0).map_err(LedgerWriteError::from)?;
    Ok(entry.account.filter(|_| entry.kind == EntryKind::Bootstrap).ok_or_else(damaged)?)
}
