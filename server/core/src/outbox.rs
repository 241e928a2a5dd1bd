//! Messages to people: queued in the transaction that they tell of, delivered afterwards, by whichever process is first.
//!
//! A letter lies sealed in the database until it is handed over, and is gone from there then. Taking one is one
//! conditional statement, which leases it; a process that dies in between leaves it to the next one, so that a letter may
//! come twice, and is never lost.

mod delivery;
mod keys;
mod letter;

pub use delivery::{Delivery, Failed};
pub(crate) use keys::Bound;
pub use keys::EndedBy;
pub use letter::Letter;

use std::collections::BTreeSet;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::contact::{Address, Channel, MailDomain};
use countersign_protocol::ids::{AccountName, MessageId};
use countersign_protocol::limits;
use countersign_protocol::random::Random;

use crate::contacts;
use crate::secrets::StoreKey;
use crate::stop::{Failure, Stop};
use crate::store::{StoreError, Transaction};

/// What a letter is about. The ledger names it where a letter could not be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An answer to somebody who asked for an account.
    Registration,
    /// The addresses of an account.
    Contact,
    /// Recovery of an account whose cards are lost.
    Recovery,
    /// Keys of an account.
    Key,
    /// Results of requests of an account.
    Job,
    /// A request that waits for approvals.
    Approval,
}

impl Purpose {
    /// The word in the store and in the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Contact => "contact",
            Self::Recovery => "recovery",
            Self::Key => "key",
            Self::Job => "job",
            Self::Approval => "approval",
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            Self::Registration => "Your registration",
            Self::Contact => "Your account's addresses",
            Self::Recovery => "Recovery of your account",
            Self::Key => "Your account's keys",
            Self::Job => "Results of your requests",
            Self::Approval => "A request that needs approval",
        }
    }
}

impl std::str::FromStr for Purpose {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Registration, Self::Contact, Self::Recovery, Self::Key, Self::Job, Self::Approval]
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
            .ok_or(())
    }
}

/// How this server reaches people, and who may register alone. Nothing of it without configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// By which ways it sends letters.
    pub channels: BTreeSet<Channel>,
    /// By letters of which ways people register alone.
    pub registration: BTreeSet<Channel>,
    /// Whether they do by an authenticator program.
    pub totp: bool,
    /// Only with addresses of these mail domains, if there are any.
    pub domains: Vec<MailDomain>,
}

/// The outgoing post of one transaction.
pub struct Post<'a> {
    tx: &'a dyn Transaction,
    key: &'a StoreKey,
    random: &'a dyn Random,
    reach: &'a Reach,
    now: Timestamp,
}

impl<'a> Post<'a> {
    /// Of a transaction beside the core's own.
    #[must_use]
    pub const fn new(
        tx: &'a dyn Transaction,
        key: &'a StoreKey,
        random: &'a dyn Random,
        reach: &'a Reach,
        now: Timestamp,
    ) -> Self {
        Self { tx, key, random, reach, now }
    }
}

impl Post<'_> {
    /// Tells an account's person, at every address that they confirmed; at how many that is. Nothing is sent if the
    /// transaction does not happen.
    ///
    /// # Errors
    /// The store's, or no randomness.
    pub fn notify(&self, account: &AccountName, purpose: Purpose, text: &str) -> Result<usize, Stop> {
        let mut told = 0;
        for contact in contacts::of(self.tx, self.key, account)? {
            told += usize::from(self.tell(contact.address, account, purpose, text)?);
        }
        Ok(told)
    }

    /// Tells an account's person at one address; whether this server can.
    ///
    /// # Errors
    /// The store's, or no randomness.
    pub fn tell(
        &self,
        to: Address,
        account: &AccountName,
        purpose: Purpose,
        text: &str,
    ) -> Result<bool, Stop> {
        if !self.reach.channels.contains(&to.channel()) {
            return Ok(false);
        }
        let letter = Letter { to, subject: purpose.subject().to_owned(), text: text.to_owned() };
        self.queue(&letter, purpose, Some(account), self.now.plus(limits::OUTBOX_LIFE), Silence::Sent)?;
        Ok(true)
    }

    pub(crate) fn queue(
        &self,
        letter: &Letter,
        purpose: Purpose,
        account: Option<&AccountName>,
        expires: Timestamp,
        silence: Silence,
    ) -> Result<(), Stop> {
        let id = MessageId::new(self.random)?;
        let sealed = letter.seal(self.key, id)?;
        let queued = Queued {
            id,
            channel: letter.to.channel(),
            purpose,
            account: account.cloned(),
            sealed,
            due: match silence {
                Silence::Sent => self.now,
                Silence::Kept => expires,
            },
            expires,
            silent: silence == Silence::Kept,
        };
        Ok(self.tx.queue(&queued)?)
    }
}

/// Whether a letter leaves at all. One that does not is written all the same, so that nobody learns by time which it was
/// (W13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    Sent,
    Kept,
}

/// A letter in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Random; it names the key that seals the letter.
    pub id: MessageId,
    /// By which way it goes.
    pub channel: Channel,
    /// What it is about.
    pub purpose: Purpose,
    /// Whose person it is for, if there is an account.
    pub account: Option<AccountName>,
    /// The letter.
    pub sealed: Vec<u8>,
    /// Not before this time.
    pub due: Timestamp,
    /// Not after this one.
    pub expires: Timestamp,
    /// Never: it is only there to be forgotten.
    pub silent: bool,
}

/// A letter that one process has for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The letter.
    pub queued: Queued,
    /// Which try this is, from 1.
    pub attempt: u32,
}

/// Looking whether there is something to deliver.
pub trait OutboxRead {
    /// Whether a letter of this way is due and nobody has it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn has_post(&self, channel: Channel, now: Timestamp) -> Result<bool, StoreError>;
}

/// Outgoing letters in a store.
pub trait OutboxStore {
    /// Adds a letter.
    ///
    /// # Errors
    /// [`StoreError`].
    fn queue(&self, letter: &Queued) -> Result<(), StoreError>;

    /// Takes the letter of this way that has been due for longest, if nobody has it, until `until`; what concerns the keys of
    /// an account before what anybody can have sent. One statement: of several processes one gets it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn take_letter(
        &self,
        channel: Channel,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Taken>, StoreError>;

    /// Lays a letter back for later, if it is still this attempt's.
    ///
    /// # Errors
    /// [`StoreError`].
    fn postpone_letter(&self, id: &MessageId, attempt: u32, due: Timestamp) -> Result<bool, StoreError>;

    /// Forgets a letter that was delivered or given up, if it is still this attempt's.
    ///
    /// # Errors
    /// [`StoreError`].
    fn drop_letter(&self, id: &MessageId, attempt: u32) -> Result<bool, StoreError>;
}

fn unreadable() -> Stop {
    Failure::Reply("a letter or an address in the store was not sealed by this server's store key".into())
        .into()
}
