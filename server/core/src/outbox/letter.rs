//! One letter, and how it rests in the store.

use countersign_protocol::contact::Address;
use countersign_protocol::ids::MessageId;
use serde::{Deserialize, Serialize};

use super::unreadable;
use crate::secrets::StoreKey;
use crate::stop::Stop;

const PURPOSE: &[u8] = b"letter";

/// What is sent to a person, as text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// Where.
    pub to: Address,
    /// For mail: what it is about. One line.
    pub subject: String,
    /// The words.
    pub text: String,
}

impl Letter {
    pub(super) fn seal(&self, key: &StoreKey, id: MessageId) -> Result<Vec<u8>, Stop> {
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(self).map_err(|_| unreadable())?);
        key.seal_aside(PURPOSE, id, &plain).map_err(|_| unreadable())
    }

    pub(super) fn open(key: &StoreKey, id: MessageId, sealed: &[u8]) -> Result<Self, Stop> {
        let plain = key.open_aside(PURPOSE, id, sealed).map_err(|_| unreadable())?;
        serde_json::from_slice(&plain).map_err(|_| unreadable())
    }
}
