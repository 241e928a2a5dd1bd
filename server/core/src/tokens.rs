//! Enrolment tokens: one host, once, in place of an administrator's approval.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Fingerprint;

use crate::codes::Mac;
use crate::store::StoreError;

/// Groups of four characters in a token: 80 bits, because nobody types it and nobody counts tries.
pub const GROUPS: usize = 4;

/// Tokens in a store.
pub trait TokenStore {
    /// Adds a token under a name, if the name is free.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add_token(&self, name: &str, mac: &Mac, expires: Timestamp) -> Result<bool, StoreError>;

    /// Uses a live token up for `instance`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn use_token(&self, mac: &Mac, instance: &Fingerprint, now: Timestamp) -> Result<bool, StoreError>;
}
