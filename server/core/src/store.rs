//! What the core asks of a database: one transaction per message.
//!
//! Every security decision is one conditional statement on one row, so that several processes on one
//! database need no further agreement. Such a method says `true` when it changed that row, and `false` when
//! somebody else was first or the row forbids it; the caller treats `false` as *no*.

use std::sync::Arc;

use crate::accounts::{AccountRead, AccountStore};
use crate::applications::{ApplicationRead, ApplicationStore};
use crate::audit::{AuditRead, AuditStore};
use crate::changes::Listener;
use crate::codes::CodeStore;
use crate::collections::CollectionStore;
use crate::contacts::ContactStore;
use crate::emergency::EmergencyStore;
use crate::enrolment::HandshakeStore;
use crate::erasure::ErasureStore;
use crate::forgetting::ForgettingStore;
use crate::instances::{InstanceRead, InstanceStore};
use crate::keys::{KeyStore, SenderKeys};
use crate::ledger::{LedgerSnapshot, LedgerTx, OutletStore};
use crate::offline_use::{OfflineRead, OfflineStore};
use crate::outbox::{OutboxRead, OutboxStore};
use crate::policy::{PolicyRead, PolicyStore};
use crate::recovery::RecoveryStore;
use crate::registration::{AloneStore, RegistrationStore};
use crate::replies::{ReplyRead, ReplyStore};
use crate::rotation::RotationStore;
use crate::server_keys::{ServerKeyRead, ServerKeyStore};
use crate::standing::StandingRead;
use crate::tokens::TokenStore;

/// A database.
pub trait Store: Send + Sync {
    /// Begins a transaction that may write. It waits for its turn.
    ///
    /// # Errors
    /// [`StoreError`].
    fn begin(&self, turn: Turn) -> Result<Box<dyn Transaction + '_>, StoreError>;

    /// What is committed now, beside any writer.
    ///
    /// # Errors
    /// [`StoreError`].
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError>;

    /// Calls `listener` from now on when another process has committed something that it announced, as far as the
    /// database has a way to tell.
    fn listen(&self, listener: Listener) {
        drop(listener);
    }
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn begin(&self, turn: Turn) -> Result<Box<dyn Transaction + '_>, StoreError> {
        (**self).begin(turn)
    }

    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        (**self).view()
    }

    fn listen(&self, listener: Listener) {
        (**self).listen(listener);
    }
}

/// Beside whom a transaction may run, of all that write to the database, in whatever process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Beside others that share too. It decides by rows that those may not change (accounts, instances, policies), and by
    /// conditional statements on one row each. A database with one writer runs it alone all the same.
    Shared,
    /// Nobody else writes from its beginning to its end.
    Alone,
}

/// Committed state, from which nothing is decided: it tells whose signatures to check before the transaction.
pub trait View:
    AccountRead
    + ApplicationRead
    + AuditRead
    + InstanceRead
    + LedgerSnapshot
    + OfflineRead
    + OutboxRead
    + PolicyRead
    + ReplyRead
    + SenderKeys
    + StandingRead
    + ServerKeyRead
{
}

/// One message's share of the database. Dropped without [`Transaction::commit`], it leaves nothing behind.
pub trait Transaction:
    AccountStore
    + AloneStore
    + ApplicationStore
    + AuditStore
    + CodeStore
    + CollectionStore
    + ContactStore
    + EmergencyStore
    + ErasureStore
    + ForgettingStore
    + HandshakeStore
    + InstanceStore
    + KeyStore
    + LedgerTx
    + OfflineStore
    + OutboxStore
    + OutletStore
    + PolicyStore
    + RecoveryStore
    + RegistrationStore
    + ReplyStore
    + RotationStore
    + StandingRead
    + ServerKeyStore
    + TokenStore
{
    /// Remembers this point, for [`Transaction::back_to_mark`].
    ///
    /// # Errors
    /// [`StoreError`].
    fn mark(&self) -> Result<(), StoreError>;

    /// Takes back everything since [`Transaction::mark`], and forgets that point.
    ///
    /// # Errors
    /// [`StoreError`]; then the transaction must be given up.
    fn back_to_mark(&self) -> Result<(), StoreError>;

    /// Says to other processes on the database, once this is committed, that there is something to hear of.
    ///
    /// # Errors
    /// [`StoreError`].
    fn announce(&self) -> Result<(), StoreError>;

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
