//! How a host changes the key that names it.

mod key;
mod request;

pub(crate) use key::key;
pub(crate) use request::request;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{Digest, Fingerprint, Nonce};

use crate::store::StoreError;

/// What the server remembers between its reply to the request and the key message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Which instance.
    pub instance: Fingerprint,
    /// The chain over request and reply, which the key message must carry.
    pub transcript: Digest,
    /// SHA-256 of the certificate that will come.
    pub commitment: Digest,
    /// To be echoed.
    pub server_nonce: Nonce,
    /// When it ends.
    pub expires: Timestamp,
}

/// Rotations in a store: at most one for each instance.
pub trait RotationStore {
    /// Remembers a rotation; one that its instance began before is over.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_rotation(&self, rotation: &Rotation) -> Result<(), StoreError>;

    /// Uses a live rotation of this instance up, and only then shows it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn use_rotation(
        &self,
        instance: &Fingerprint,
        transcript: &Digest,
        now: Timestamp,
    ) -> Result<Option<Rotation>, StoreError>;
}
