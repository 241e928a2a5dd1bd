//! The key that will name this host: in a file, or on a card whose PINs only this host knows.

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::ipc::EnrollKeyStore;
use countersign_protocol::message::KeyStore;

use super::Enrolment;
use crate::instance_key::Primary;
use crate::person::Person;
use crate::trouble::Trouble;
use crate::vault::Slot;

impl Enrolment<'_> {
    /// Makes it, and keeps what is needed to use it.
    pub(super) fn make_key(&self, person: &mut Person) -> Result<(Cert, Primary, KeyStore), Trouble> {
        let now = self.agent.wire.time.now();
        let hostname = hostname();
        match &self.ask.key_store {
            EnrollKeyStore::Sealed => {
                let cert = Primary::generate_software(&format!("countersign instance {hostname}"), now)?;
                let secret = certificate::to_secret_bytes(&cert)?;
                let slot = Slot::instance_key(&certificate::fingerprint(&cert)?);
                let protection = slot.store(&self.agent.state, &secret)?;
                let base = cert.clone().strip_secret_key_material();
                Ok((base, Primary::Software { cert: Box::new(cert), protection }, KeyStore::Sealed))
            }
            EnrollKeyStore::Card(ident) => {
                let (base, pin, protection) = self.make_card_key(*ident, person)?;
                Ok((base, Primary::Card { ident: *ident, pin, protection }, KeyStore::Card(*ident)))
            }
        }
    }
}

/// What the host calls itself: shown, never trusted.
pub(super) fn hostname() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let plain: String = name.chars().filter(|c| !c.is_control()).take(253).collect();
    if plain.is_empty() { "unnamed".to_owned() } else { plain }
}
