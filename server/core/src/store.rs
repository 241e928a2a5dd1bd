//! What the core asks of a database: one transaction per message.
//!
//! Every security decision is one conditional statement on one row, so that several processes on one
//! database need no further agreement. Such a method says `true` when it changed that row, and `false` when
//! somebody else was first or the row forbids it; the caller treats `false` as *no*.

use std::sync::Arc;

use countersign_protocol::ids::{AccountName, Fingerprint, MessageId, Nonce};

use crate::accounts::{AccountRead, AccountStore};
use crate::applications::{ApplicationRead, ApplicationStore};
use crate::approvals::RequestStore;
use crate::audit::{AuditRead, AuditStore};
use crate::changes::Listener;
use crate::codes::CodeStore;
use crate::collections::{CollectionRead, CollectionStore};
use crate::contacts::ContactStore;
use crate::documents::{DocumentRead, DocumentStore};
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
use crate::queue::{QueueRead, QueueStore};
use crate::recovery::RecoveryStore;
use crate::registration::{AloneStore, RegistrationStore};
use crate::replies::{ReplyRead, ReplyStore};
use crate::rotation::RotationStore;
use crate::server_keys::{ServerKeyRead, ServerKeyStore};
use crate::standing::StandingRead;
use crate::tokens::TokenStore;

/// A database.
pub trait Store: Send + Sync {
    /// Begins a transaction that may write. It waits for its turn: nobody else writes to the database from its beginning to its
    /// end, in whatever process.
    ///
    /// # Errors
    /// [`StoreError`].
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StoreError> {
        self.begin_expecting(&[])
    }

    /// The same for who is going to ask for these rows: where the database is another process, they are asked for all at once,
    /// and while the turn is waited for.
    ///
    /// # Errors
    /// [`StoreError`].
    fn begin_expecting(&self, rows: &[Expected<'_>]) -> Result<Box<dyn Transaction + '_>, StoreError>;

    /// What is committed now, beside any writer: all of it of one moment.
    ///
    /// # Errors
    /// [`StoreError`].
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError>;

    /// The same for as long as one message is looked at, where what it says need not be of one moment: each answer may be of
    /// when it is asked.
    ///
    /// # Errors
    /// [`StoreError`].
    fn glance(&self) -> Result<Box<dyn View + '_>, StoreError> {
        self.view()
    }

    /// Calls `listener` from now on when another process has committed something that it announced, as far as the
    /// database has a way to tell.
    fn listen(&self, listener: Listener) {
        drop(listener);
    }
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn begin_expecting(&self, rows: &[Expected<'_>]) -> Result<Box<dyn Transaction + '_>, StoreError> {
        (**self).begin_expecting(rows)
    }

    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        (**self).view()
    }

    fn glance(&self) -> Result<Box<dyn View + '_>, StoreError> {
        (**self).glance()
    }

    fn listen(&self, listener: Listener) {
        (**self).listen(listener);
    }
}

/// Rows that whoever handles a message is going to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected<'a> {
    /// What was answered to this message.
    Reply(&'a MessageId),
    /// This instance.
    Instance(&'a Fingerprint),
    /// This account.
    Account(&'a AccountName),
    /// Whether this nonce was burned.
    Nonce(&'a Nonce),
}

/// Committed state, from which nothing is decided: it tells whose signatures to check before the transaction.
pub trait View:
    AccountRead
    + ApplicationRead
    + AuditRead
    + CollectionRead
    + DocumentRead
    + InstanceRead
    + LedgerSnapshot
    + OfflineRead
    + OutboxRead
    + PolicyRead
    + QueueRead
    + ReplyRead
    + SenderKeys
    + StandingRead
    + ServerKeyRead
{
    /// Asks for rows all at once, where the database is another process: each is then there when it is asked for.
    ///
    /// # Errors
    /// [`StoreError`].
    fn expect(&self, rows: &[Expected<'_>]) -> Result<(), StoreError>;
}

/// One message's share of the database. Dropped without [`Transaction::commit`], it leaves nothing behind.
///
/// What it reads may be of others who share its commit, and durable only with that: nobody is told of it before
/// [`Transaction::commit`] returned, whether there was something to write or not.
pub trait Transaction:
    AccountStore
    + AloneStore
    + ApplicationStore
    + AuditStore
    + CodeStore
    + CollectionStore
    + ContactStore
    + DocumentStore
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
    + QueueStore
    + RecoveryStore
    + RegistrationStore
    + ReplyStore
    + RequestStore
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
