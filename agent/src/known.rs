//! Cards that were registered on this host: whose they are, for people who have no login name here.

use std::sync::{Arc, Mutex, PoisonError};

use countersign_protocol::binary::Binary;
use countersign_protocol::ids::{AccountName, Fingerprint};
use serde::{Deserialize, Serialize};

use crate::state::{StateDir, StateError};

const FILE: &str = "known.json";

/// One registration. Public data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownKey {
    /// Whose.
    pub account: AccountName,
    /// The certificate.
    pub certificate: Binary,
    /// The key in the card's signature slot.
    pub key: Fingerprint,
}

/// All of them, in memory and on disk.
pub struct Known {
    state: StateDir,
    keys: Mutex<Arc<Vec<KnownKey>>>,
    trouble: Option<String>,
}

impl Known {
    /// What was kept. A damaged file is set aside: people register again, or use their login names.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load(state: StateDir) -> Result<Self, StateError> {
        let (keys, trouble) = state.read_or_set_aside::<Vec<KnownKey>>(FILE)?;
        Ok(Self { state, keys: Mutex::new(Arc::new(keys.unwrap_or_default())), trouble })
    }

    /// What was wrong with the file at the start.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Arc<Vec<KnownKey>> {
        Arc::clone(&self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds one; an older one of the same key goes.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&self, new: KnownKey) -> Result<(), StateError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<KnownKey> = keys.iter().filter(|known| known.key != new.key).cloned().collect();
        all.push(new);
        self.state.write(FILE, &all)?;
        *keys = Arc::new(all);
        Ok(())
    }
}
