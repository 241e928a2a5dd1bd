//! What the core asks of a database: one transaction per message.
//!
//! Every security decision is one conditional statement on one row, so that several processes on one
//! database need no further agreement. Such a method says `true` when it changed that row, and `false` when
//! somebody else was first or the row forbids it; the caller treats `false` as *no*.

use crate::accounts::{AccountRead, AccountStore};
use crate::applications::{ApplicationRead, ApplicationStore};
use crate::codes::CodeStore;
use crate::emergency::EmergencyStore;
use crate::enrolment::HandshakeStore;
use crate::forgetting::ForgettingStore;
use crate::instances::{InstanceRead, InstanceStore};
use crate::keys::{KeyStore, SenderKeys};
use crate::ledger::{LedgerSnapshot, LedgerTx};
use crate::offline_use::{OfflineRead, OfflineStore};
use crate::registration::RegistrationStore;
use crate::replies::{ReplyRead, ReplyStore};
use crate::rotation::RotationStore;
use crate::tokens::TokenStore;

/// A database.
pub trait Store: Send + Sync {
    /// Begins a transaction that may write. It waits for its turn; nobody else writes until it ends.
    ///
    /// # Errors
    /// [`StoreError`].
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StoreError>;

    /// What is committed now, beside any writer.
    ///
    /// # Errors
    /// [`StoreError`].
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError>;
}

/// Committed state, from which nothing is decided: it tells whose signatures to check before the transaction.
pub trait View:
    AccountRead + ApplicationRead + InstanceRead + LedgerSnapshot + OfflineRead + ReplyRead + SenderKeys
{
}

/// One message's share of the database. Dropped without [`Transaction::commit`], it leaves nothing behind.
pub trait Transaction:
    AccountStore
    + ApplicationStore
    + CodeStore
    + EmergencyStore
    + ForgettingStore
    + HandshakeStore
    + InstanceStore
    + KeyStore
    + LedgerTx
    + OfflineStore
    + RegistrationStore
    + ReplyStore
    + RotationStore
    + TokenStore
{
    /// Makes everything durable at once.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of it happened.
    fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// The database did not do its part. Nothing of the transaction happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Disk full, file gone, locked for too long …
    #[error("the store did not answer: {0}")]
    Unavailable(String),
    /// What it holds is not what this program wrote.
    #[error("the store holds something this program did not write: {0}")]
    Corrupt(String),
}
