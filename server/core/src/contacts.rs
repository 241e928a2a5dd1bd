//! Where each account's person can be reached. Beside the log and sealed: the ledger names an address by a salted digest,
//! which says nothing any more once the row is gone.

pub(crate) mod letters;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::contact::Address;
use countersign_protocol::ids::{AccountName, Digest, MessageId};
use countersign_protocol::random::{self, Random};
use serde::{Deserialize, Serialize};

use crate::codes::Mac;
use crate::secrets::{Pepper, StoreKey};
use crate::stop::{Failure, Stop};
use crate::store::StoreError;

const PURPOSE: &[u8] = b"contact";

/// An address of an account, as its person confirmed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Where.
    pub address: Address,
    /// When it was confirmed.
    pub since: Timestamp,
    /// What the ledger calls it.
    pub reference: Digest,
}

/// The same in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedContact {
    /// Random; it names the key that seals the address.
    pub id: MessageId,
    /// Keyed digest of the address: what tells that it is somebody's already.
    pub digest: Mac,
    /// The address and its salt.
    pub sealed: Vec<u8>,
    /// When it was confirmed, or asked for.
    pub since: Timestamp,
}

/// An address that waits for its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingContact {
    /// The address.
    pub contact: SealedContact,
    /// Keyed digest of the code.
    pub code: Mac,
    /// When the code dies.
    pub expires: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Salted {
    address: Address,
    salt: Digest,
}

/// What finds an address again: a stolen database alone tells nobody's.
pub(crate) fn digest(pepper: &Pepper, address: &Address) -> Mac {
    pepper.mac(&[b"address", address.channel().as_str().as_bytes(), address.as_str().as_bytes()])
}

impl SealedContact {
    /// Seals an address, with a fresh salt.
    ///
    /// # Errors
    /// No randomness.
    pub(crate) fn seal(
        key: &StoreKey,
        pepper: &Pepper,
        random: &dyn Random,
        address: &Address,
        since: Timestamp,
    ) -> Result<Self, Stop> {
        let id = MessageId::new(random)?;
        let salt = Digest::from_bytes(random::array(random)?);
        let plain =
            serde_json::to_vec(&Salted { address: address.clone(), salt }).map_err(|_| unreadable())?;
        let sealed = key.seal_aside(PURPOSE, id, &plain).map_err(|_| unreadable())?;
        Ok(Self { id, digest: digest(pepper, address), sealed, since })
    }

    /// The address.
    ///
    /// # Errors
    /// It was sealed by another server.
    pub(crate) fn open(&self, key: &StoreKey) -> Result<Contact, Stop> {
        let plain = key.open_aside(PURPOSE, self.id, &self.sealed).map_err(|_| unreadable())?;
        let Salted { address, salt } = serde_json::from_slice(&plain).map_err(|_| unreadable())?;
        let mut bytes = salt.as_bytes().to_vec();
        bytes.extend_from_slice(address.as_str().as_bytes());
        Ok(Contact { address, since: self.since, reference: Digest::of(&bytes) })
    }
}

/// An account's confirmed addresses, the oldest first.
pub(crate) fn of(
    store: &(impl ContactStore + ?Sized),
    key: &StoreKey,
    account: &AccountName,
) -> Result<Vec<Contact>, Stop> {
    store.contacts(account)?.iter().map(|contact| contact.open(key)).collect()
}

fn unreadable() -> Stop {
    Failure::Reply("an address in the store was not sealed by this server's store key".into()).into()
}

/// Addresses in a store.
pub trait ContactStore {
    /// An account's confirmed addresses, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn contacts(&self, account: &AccountName) -> Result<Vec<SealedContact>, StoreError>;

    /// Whether the address with this digest is somebody's.
    ///
    /// # Errors
    /// [`StoreError`].
    fn is_contact(&self, digest: &Mac) -> Result<bool, StoreError>;

    /// Makes an address an account's, if it is nobody's.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add_contact(&self, account: &AccountName, contact: &SealedContact) -> Result<bool, StoreError>;

    /// Takes an address away from an account, if it has it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn remove_contact(&self, account: &AccountName, digest: &Mac) -> Result<bool, StoreError>;

    /// Lets an address wait for its code. An account has one that waits; any earlier one waits no more.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_waiting_contact(&self, account: &AccountName, waiting: &WaitingContact) -> Result<(), StoreError>;

    /// Counts one try at the code of the address that waits, if one is left, and only then shows it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn try_waiting_contact(
        &self,
        account: &AccountName,
        now: Timestamp,
    ) -> Result<Option<WaitingContact>, StoreError>;

    /// The code was right: the address waits no more, if it still did.
    ///
    /// # Errors
    /// [`StoreError`].
    fn end_waiting_contact(&self, account: &AccountName, id: &MessageId) -> Result<bool, StoreError>;

    /// Until when the account's address that waits does so.
    ///
    /// # Errors
    /// [`StoreError`].
    fn waits_until(&self, account: &AccountName, now: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// Counts a request for a message under this name, if it has not had too many: no more than
    /// [`LIVE_REQUESTS`](countersign_protocol::limits::LIVE_REQUESTS) that live until `expires`, no more than
    /// [`REQUESTS_A_DAY`](countersign_protocol::limits::REQUESTS_A_DAY), and none before a pause that doubles with each.
    /// One statement: whoever asks, through however many processes.
    ///
    /// # Errors
    /// [`StoreError`].
    fn count_request(&self, digest: &Mac, now: Timestamp, expires: Timestamp) -> Result<bool, StoreError>;

    /// Counts one more under this name, if there were not `most` within a day; with none to be had, nothing is counted. One
    /// statement.
    ///
    /// # Errors
    /// [`StoreError`].
    fn count_letter(&self, digest: &Mac, most: u32, now: Timestamp) -> Result<bool, StoreError>;

    /// Makes an account's addresses nobody's, those that wait for their code among them. Letters on their way go on.
    ///
    /// # Errors
    /// [`StoreError`].
    fn release_contacts(&self, account: &AccountName) -> Result<(), StoreError>;

    /// Forgets how a person can be reached, and every letter to them that is still on its way.
    ///
    /// # Errors
    /// [`StoreError`].
    fn forget_contacts(&self, account: &AccountName) -> Result<(), StoreError>;
}
