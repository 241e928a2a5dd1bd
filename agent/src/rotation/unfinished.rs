//! A change of the key that may or may not have come to the server: what to send again, and the keys of both.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert, CertificateError};
use countersign_protocol::envelope::Sealed;
use countersign_protocol::ids::{Digest, Fingerprint};
use countersign_protocol::message::KeyStore;
use serde::{Deserialize, Serialize};

use crate::enrollment::Made;
use crate::instance_key::SessionKeys;
use crate::server_link::Link;
use crate::state::{StateDir, StateError};
use crate::trouble::Trouble;

/// The file. Root only, and gone when it is known which key is in force.
const FILE: &str = "rotation.json";

/// Where it stands: the key message was sent, or is about to be.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unfinished {
    /// The name that the host had.
    pub(super) old: Fingerprint,
    base: Binary,
    session: Binary,
    pub(super) key_store: KeyStore,
    pub(super) sealed: Sealed,
    /// The chain that the key message carries.
    pub(super) transcript: Digest,
}

impl Unfinished {
    pub(super) fn begin(
        link: &Link,
        made: &Made,
        session: &SessionKeys,
        sealed: Sealed,
        transcript: Digest,
    ) -> Result<Self, Trouble> {
        Ok(Self {
            old: link.instance.fingerprint.clone(),
            base: Binary(certificate::to_bytes(&made.base)?),
            session: Binary(session.to_secret_bytes()?.to_vec()),
            key_store: made.key_store.clone(),
            sealed,
            transcript,
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

    pub(super) fn session(&self) -> Result<SessionKeys, CertificateError> {
        SessionKeys::from_secret_bytes(&self.session.0)
    }
}
