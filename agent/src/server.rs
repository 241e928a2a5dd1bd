//! The one server: what is pinned of it, and the keys under that which come and go.

use std::sync::{Arc, PoisonError, RwLock};

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert, CertificateError};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{Digest, Fingerprint};
use serde::{Deserialize, Serialize};

use crate::state::{StateDir, StateError};

/// The file with the newest certificate that was taken up.
const FILE: &str = "server.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    certificate: Binary,
}

/// The one server. Clones have the same certificate, whenever it is exchanged.
#[derive(Debug, Clone)]
pub struct Server {
    held: Arc<RwLock<Arc<Held>>>,
    /// Of its primary key, pinned at enrolment.
    pub fingerprint: Fingerprint,
    /// Where the courier goes.
    pub url: String,
}

#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    certificate: Cert,
}

impl Server {
    /// From its certificate.
    ///
    /// # Errors
    /// Not one acceptable certificate.
    pub fn new(certificate: &[u8], url: &str) -> Result<Self, CertificateError> {
        let held = Held { bytes: certificate.to_vec(), certificate: certificate::parse(certificate)? };
        let fingerprint = certificate::fingerprint(&held.certificate)?;
        Ok(Self { held: Arc::new(RwLock::new(Arc::new(held))), fingerprint, url: url.to_owned() })
    }

    /// As it is now.
    #[must_use]
    pub fn certificate(&self) -> Cert {
        self.held().certificate.clone()
    }

    /// Its binary form, as the server made it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.held().bytes.clone()
    }

    /// SHA-256 of that.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.held().bytes)
    }

    /// Whether it has keys that are good at `now`.
    #[must_use]
    pub fn can_be_spoken_to(&self, now: Timestamp) -> bool {
        certificate::can_be_spoken_to(&self.held().certificate, now)
    }

    /// Takes up a newer certificate, from whomever: the pinned primary key must vouch for it.
    ///
    /// # Errors
    /// It does not, or it is not newer, or of no use now. The one that is held stays.
    pub fn take_up(&self, bytes: &[u8], now: Timestamp) -> Result<(), CertificateError> {
        self.exchange(bytes, |new, held| certificate::takes_place_of(new, held, now))
    }

    /// Takes up what the server said itself, in a reply that it signed.
    ///
    /// # Errors
    /// The pinned primary key does not vouch for it, or it is older, or of no use now. The one that is held stays.
    pub fn told(&self, bytes: &[u8], now: Timestamp) -> Result<(), CertificateError> {
        self.exchange(bytes, |new, held| certificate::goes_on_from(new, held, now))
    }

    fn exchange(
        &self,
        bytes: &[u8],
        judge: impl Fn(&Cert, &Cert) -> Result<(), CertificateError>,
    ) -> Result<(), CertificateError> {
        let certificate = certificate::parse(bytes)?;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        judge(&certificate, &held.certificate)?;
        *held = Arc::new(Held { bytes: bytes.to_vec(), certificate });
        Ok(())
    }

    /// Goes on with what was kept, if it is this server's: it was looked at when it was taken up.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn resume(&self, state: &StateDir) -> Result<(), StateError> {
        let Some(kept) = state.read::<Kept>(FILE)? else { return Ok(()) };
        let Ok(certificate) = certificate::parse(&kept.certificate.0) else { return Ok(()) };
        if certificate::fingerprint(&certificate).is_ok_and(|found| found == self.fingerprint) {
            let held = Held { bytes: kept.certificate.0, certificate };
            *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(held);
        }
        Ok(())
    }

    /// Keeps it for the next start.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, state: &StateDir) -> Result<(), StateError> {
        let bytes = self.bytes();
        let kept = state.read::<Kept>(FILE).ok().flatten();
        if kept.is_some_and(|kept| kept.certificate.0 == bytes) {
            return Ok(());
        }
        state.write(FILE, &Kept { certificate: Binary(bytes) })
    }

    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }
}
