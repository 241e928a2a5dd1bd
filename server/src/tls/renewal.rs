//! What new connections are spoken to with, and how it is exchanged.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use countersign_protocol::clock::Timestamp;
use rustls::ServerConfig;

use super::{Files, Loaded, TlsError};

/// The certificate in use. Connections that are open go on with the one they began with.
pub struct Live {
    files: Files,
    loaded: ArcSwap<Loaded>,
    /// How the files were when they were last read, for good or not.
    seen: Mutex<[Option<[i64; 5]>; 2]>,
}

/// What came of looking at the files.
#[derive(Debug)]
#[must_use]
pub enum Renewed {
    /// They are as they were.
    Same,
    /// New ones are in use.
    Yes(Timestamp),
    /// The new ones cannot be used; the old ones stay.
    No(TlsError),
}

impl Live {
    /// From files that can be used.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn begin(files: Files, now: Timestamp) -> Result<Self, TlsError> {
        let seen = Mutex::new(files.stamp());
        let loaded = ArcSwap::from_pointee(files.load(now)?);
        Ok(Self { files, loaded, seen })
    }

    /// For a new connection.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        self.loaded.load().config.clone()
    }

    /// When what is in use ends.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.loaded.load().expires
    }

    /// When the first of the certificates behind it ends.
    #[must_use]
    pub fn chain_expires(&self) -> Option<Timestamp> {
        self.loaded.load().chain_expires
    }

    /// Looks whether the files changed since they were last read; `asked` by somebody who says so. Blocks on disk.
    pub fn renew(&self, asked: bool, now: Timestamp) -> Renewed {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Before reading: what changes meanwhile is seen the next time.
        let stamp = self.files.stamp();
        if !asked && *seen == stamp {
            return Renewed::Same;
        }
        *seen = stamp;
        match self.files.load(now) {
            Ok(loaded) => {
                let expires = loaded.expires;
                self.loaded.store(Arc::new(loaded));
                Renewed::Yes(expires)
            }
            Err(error) => Renewed::No(error),
        }
    }
}
