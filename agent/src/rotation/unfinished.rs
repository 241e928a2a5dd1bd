//! A change of the key that may or may not have come to the server: the names of both keys, and no secret.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert, CertificateError};
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::message::KeyStore;
use serde::{Deserialize, Serialize};

use crate::enrollment::Made;
use crate::server_link::Link;
use crate::state::{StateDir, StateError};
use crate::trouble::Trouble;

/// The file. Gone when it is known which key is in force.
const FILE: &str = "rotation.json";

/// Where it stands: the key message was sent, or is about to be. Earlier versions kept the message here too, and the
/// session keys; they are read past and go with the file.
#[derive(Serialize, Deserialize)]
pub(super) struct Unfinished {
    /// The name that the host had.
    pub(super) old: Fingerprint,
    base: Binary,
    pub(super) key_store: KeyStore,
}

impl Unfinished {
    pub(super) fn begin(link: &Link, made: &Made) -> Result<Self, Trouble> {
        Ok(Self {
            old: link.instance.fingerprint.clone(),
            base: Binary(certificate::to_bytes(&made.base)?),
            key_store: made.key_store.clone(),
        })
    }

    pub(super) fn load(state: &StateDir) -> Result<Option<Self>, StateError> {
        state.read(FILE)
    }

    pub(super) fn keep(&self, state: &StateDir) -> Result<(), StateError> {
        state.write(FILE, self)
    }

    pub(super) fn erase(state: &StateDir) -> Result<(), StateError> {
        state.remove(FILE)
    }

    pub(super) fn base(&self) -> Result<Cert, CertificateError> {
        certificate::parse(&self.base.0)
    }

    /// The name that the new key gives it.
    pub(super) fn new_name(&self) -> Result<Fingerprint, CertificateError> {
        certificate::fingerprint(&self.base()?)
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::clock::Timestamp;

    use super::*;

    #[test]
    fn a_change_that_an_earlier_version_began_is_finished_without_its_session_keys() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let now = Timestamp::from_seconds(1_790_000_000);
        let base = certificate::generate_software("instance", now, None).unwrap();
        let old: Fingerprint = "AB".repeat(20).parse().unwrap();
        let kept = serde_json::json!({
            "old": old, "base": Binary(certificate::to_bytes(&base).unwrap()), "session": Binary(vec![1]),
            "key_store": KeyStore::Sealed, "sealed": {"bytes": "AA"}, "transcript": "AA",
        });
        state.write(FILE, &kept).unwrap();
        let unfinished = Unfinished::load(&state).unwrap().unwrap();
        assert_eq!(unfinished.old, old);
        assert_eq!(unfinished.new_name().unwrap(), certificate::fingerprint(&base).unwrap());
        unfinished.keep(&state).unwrap();
        assert!(!std::fs::read_to_string(state.path(FILE)).unwrap().contains("session"));
    }
}
