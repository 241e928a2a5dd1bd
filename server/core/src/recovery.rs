//! Recovery of an account whose cards are lost: the code on paper, two administrators, and a day.
//!
//! ```text
//! code and new card, at any host ─▶ pending; every contact is told, and whoever logs in with the old card
//!   ─▶ two administrators sign for id, account and new key, with cards of their own
//!   ─▶ a day later the new card completes it: its key is the account's, and the old ones end
//! ```
//!
//! Until it is completed, the account's own card or any administrator ends it. The code alone buys a place in the queue.

mod begin;
mod code;
mod step;
mod vouched;

pub(crate) use begin::begin;
pub(crate) use code::{compare, new_code};
pub(crate) use step::step;
pub(crate) use vouched::{check, sealed, signed};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, CardIdent, CorrelationId, Fingerprint, MessageId};

use crate::accounts::AccountKey;
use crate::codes::Mac;
use crate::store::StoreError;

/// A recovery that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Its name: what the person quotes.
    pub id: CorrelationId,
    /// Whose account.
    pub account: AccountName,
    /// The key that wants to become its only one.
    pub key: AccountKey,
    /// What the host calls itself at which it was begun.
    pub claimed_hostname: String,
    /// When it was begun.
    pub begun: Timestamp,
    /// With a code that a card of the account had made.
    pub by_card: bool,
    /// Over all of it, while it is under way.
    pub mac: Option<Mac>,
}

/// One administrator's signature for a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Whose.
    pub administrator: AccountName,
    /// By which key, its primary fingerprint.
    pub key: Fingerprint,
    /// On which card, as the host said at which it was registered.
    pub card: Option<CardIdent>,
    /// Over all of it and the recovery.
    pub mac: Option<Mac>,
}

impl Recovery {
    /// Not completed before this time.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.begun.plus(countersign_protocol::limits::RECOVERY_DELAY)
    }

    /// Nor after this one.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.begun.plus(countersign_protocol::limits::RECOVERY_LIFE)
    }
}

/// How a recovery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The new key is the account's.
    Completed,
    /// Somebody said no.
    Withdrawn,
}

impl Ending {
    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Recovery codes and recoveries in a store.
pub trait RecoveryStore {
    /// Gives an account a new recovery code, and ends registrations that one had opened. Any earlier one is dead, but for
    /// one thing: `by_card` tells a code that a card had made, which ends with a revoked card, from the one that came with
    /// the registration. While the first lives, the other is worth nothing; when it ends with a card, the other is what it
    /// was, so that whoever steals a card cannot take its owner's paper away.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_recovery_code(
        &self,
        account: &AccountName,
        mac: &Mac,
        by_card: bool,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Counts one try from this host, if one is left, the code was not used or ended, and the account is neither barred nor
    /// retired; and only then shows what to compare with.
    ///
    /// # Errors
    /// [`StoreError`].
    fn try_recovery_code(
        &self,
        account: &AccountName,
        instance: &Fingerprint,
        now: Timestamp,
    ) -> Result<Option<Mac>, StoreError>;

    /// Uses the code up, if nobody did before; whether a card had made it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn use_recovery_code(&self, account: &AccountName, now: Timestamp) -> Result<Option<bool>, StoreError>;

    /// Remembers that this registration is by a recovery code.
    ///
    /// # Errors
    /// [`StoreError`].
    fn mark_recovery(&self, registration: &MessageId) -> Result<(), StoreError>;

    /// Whether it is.
    ///
    /// # Errors
    /// [`StoreError`].
    fn is_recovery(&self, registration: &MessageId) -> Result<bool, StoreError>;

    /// Adds a recovery, if the account has no other that is under way; one that took too long is over.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add_recovery(&self, recovery: &Recovery) -> Result<bool, StoreError>;

    /// A recovery that is under way.
    ///
    /// # Errors
    /// [`StoreError`].
    fn recovery(&self, id: &CorrelationId, now: Timestamp) -> Result<Option<Recovery>, StoreError>;

    /// A recovery, also one that is over.
    ///
    /// # Errors
    /// [`StoreError`].
    fn past_recovery(&self, id: &CorrelationId) -> Result<Option<Recovery>, StoreError>;

    /// Those that are under way, the oldest first; some hundreds at most.
    ///
    /// # Errors
    /// [`StoreError`].
    fn recoveries(&self, now: Timestamp) -> Result<Vec<Recovery>, StoreError>;

    /// Adds an approval, if neither this administrator nor this key nor this card gave one before. By another key than
    /// before, it takes the place of the administrator's own.
    ///
    /// # Errors
    /// [`StoreError`].
    fn approve_recovery(
        &self,
        id: &CorrelationId,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The approvals of a recovery, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn approvals(&self, id: &CorrelationId) -> Result<Vec<Approval>, StoreError>;

    /// Ends a recovery, if it is under way; one that is completed, only if it was begun at `begun_by` at the latest.
    ///
    /// # Errors
    /// [`StoreError`].
    fn end_recovery(
        &self,
        id: &CorrelationId,
        how: Ending,
        begun_by: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// A key that wanted to become an account's is worth nothing, and nobody can have it again.
    ///
    /// # Errors
    /// [`StoreError`].
    fn forbid_key(&self, account: &AccountName, key: &AccountKey, now: Timestamp) -> Result<(), StoreError>;

    /// Makes this the only key of an account, if it is neither barred nor retired; `old` are those that it had, and end.
    ///
    /// # Errors
    /// [`StoreError`].
    fn recover_account(
        &self,
        account: &AccountName,
        old: &[AccountKey],
        key: &AccountKey,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
}
