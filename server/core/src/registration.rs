//! How a person's card becomes the key of an account.

mod accepted;
mod alone;
mod code;
mod letters;
mod request;
mod second_factor;
mod user_key;

pub use alone::{Alone, AloneStore, SecondFactor};
pub(crate) use code::code;
pub(crate) use request::request;
pub(crate) use user_key::user_key;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, Digest, Fingerprint, MessageId, Nonce};

use crate::codes::Mac;
use crate::store::StoreError;

/// What the server remembers between the messages of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The id of the request.
    pub id: MessageId,
    /// The instance it came through. All its messages do.
    pub instance: Fingerprint,
    /// The account asked for, which need not exist.
    pub account: AccountName,
    /// SHA-256 of the certificate that will come.
    pub commitment: Digest,
    /// The chain that the next message must carry.
    pub transcript: Digest,
    /// When it ends.
    pub expires: Timestamp,
    /// The nonce to be signed, once the code was right.
    pub server_nonce: Option<Nonce>,
    /// Over all of it, once the code was right.
    pub mac: Option<Mac>,
}

/// Registrations in a store. Those that expired or ended are not there.
pub trait RegistrationStore {
    /// Adds a registration.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add_registration(&self, registration: &Registration) -> Result<(), StoreError>;

    /// A live registration.
    ///
    /// # Errors
    /// [`StoreError`].
    fn registration(&self, id: &MessageId, now: Timestamp) -> Result<Option<Registration>, StoreError>;

    /// The code was right: the key may come, with this nonce and this chain.
    ///
    /// # Errors
    /// [`StoreError`].
    fn accept_registration(
        &self,
        id: &MessageId,
        server_nonce: &Nonce,
        transcript: &Digest,
        mac: &Mac,
    ) -> Result<bool, StoreError>;

    /// Ends a registration, if it had not ended.
    ///
    /// # Errors
    /// [`StoreError`].
    fn end_registration(&self, id: &MessageId, now: Timestamp) -> Result<bool, StoreError>;
}
