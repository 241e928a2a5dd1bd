//! An instance changes the key that names it: the old one and the new one both say so.

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::clock::Timestamp;
use crate::ids::{ApplicationName, Digest, Fingerprint, Nonce};
use crate::message::enrolment::KeyStore;
use crate::message::job::Receipt;

/// "I am going to have another key." Signed by the session subkey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationRequest {
    /// SHA-256 of the new certificate's binary form that [`RotationKey`] will bring (W5).
    pub commitment: Digest,
}

/// "Go on." Its transcript covers the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationReply {
    /// To be echoed, so that a recorded key message is worth nothing (W2).
    pub server_nonce: Nonce,
    /// When the handshake ends.
    pub expires: Timestamp,
}

/// "This is my key from now on." Signed by the old primary key **and** by the new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationKey {
    /// The new certificate: a primary key that signs, and session subkeys.
    pub certificate: Binary,
    /// From [`RotationReply`].
    pub server_nonce: Nonce,
    /// The next of the numbers that check-ins carry; the new key goes on counting from it (W25).
    pub counter: u64,
    /// Where the new key lives.
    pub key_store: KeyStore,
}

/// "The new key has taken the old one's place": the instance compares every field with what it sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationRecord {
    /// The new primary fingerprint: the instance's name from now on.
    pub instance: Fingerprint,
    /// The one before. Nothing that it signs is taken any more, and it never enrols again.
    pub retired: Fingerprint,
    /// The application, which stays.
    pub application: ApplicationName,
    /// By this handshake.
    pub transcript: Digest,
    /// The proof that it is in the ledger.
    pub receipt: Receipt,
}
