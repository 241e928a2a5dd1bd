//! A message is acted upon once and answered as often as its bytes come again (W15).

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{Digest, Fingerprint, MessageId};

use crate::store::StoreError;

/// The answer to one message, as it rests in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReply {
    /// The message answered.
    pub id: MessageId,
    /// SHA-256 of its envelope.
    pub digest: Digest,
    /// Whom the answer is for.
    pub recipient: Recipient,
    /// The reply's literal bytes, sealed with the [`StoreKey`](crate::secrets::StoreKey). They are sealed to the
    /// recipient anew each time they are sent: its session keys may have changed since.
    ///
    /// Empty once a later one took its place: then the message is known, and no longer answered.
    pub sealed: Vec<u8>,
    /// The instance's next reply of this sort takes its place: nobody asks for an old check-in's, and a roster may be
    /// large.
    pub passing: bool,
    /// Of a request that never came and is refused for ever: which entry says so.
    pub never: Option<u64>,
}

/// Whom a reply is sealed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// Whatever certificate this instance has when the reply leaves.
    Instance(Fingerprint),
    /// The one-time certificate that a hello brought, binary.
    Ephemeral(Vec<u8>),
}

/// Looking for replies.
pub trait ReplyRead {
    /// Which entry says that this request never came, if one does.
    ///
    /// # Errors
    /// [`StoreError`].
    fn never_happened(&self, id: &MessageId) -> Result<Option<u64>, StoreError>;
}

/// Replies in a store.
pub trait ReplyStore {
    /// What was answered to this message id.
    ///
    /// # Errors
    /// [`StoreError`].
    fn reply(&self, id: &MessageId) -> Result<Option<StoredReply>, StoreError>;

    /// Keeps a reply. A passing one empties those before it.
    ///
    /// # Errors
    /// [`StoreError`], also if that message was answered before.
    fn put_reply(&self, reply: &StoredReply, now: Timestamp) -> Result<(), StoreError>;
}
