//! The key that will name this host: in a file, or on a card whose PINs only this host knows.

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::ipc::EnrollKeyStore;
use countersign_protocol::message::KeyStore;

use crate::agent::Agent;
use crate::instance_key::Primary;
use crate::person::Person;
use crate::server_link::Link;
use crate::trouble::Trouble;
use crate::vault::Slot;

/// A key that names nobody yet.
pub(crate) struct Made {
    /// Its certificate, without session keys.
    pub(crate) base: Cert,
    /// What signs with it.
    pub(crate) primary: Primary,
    /// Where it lives.
    pub(crate) key_store: KeyStore,
}

/// Makes such keys.
pub(crate) struct KeyMaker<'a> {
    /// Whose host.
    pub(crate) agent: &'a Agent,
    /// What names the host now: that key goes on signing, also on the same card.
    pub(crate) link: Option<&'a Link>,
}

impl KeyMaker<'_> {
    /// Makes one, and keeps what is needed to use it.
    pub(crate) fn make(&self, place: &EnrollKeyStore, person: &mut Person) -> Result<Made, Trouble> {
        match place {
            EnrollKeyStore::Sealed => {
                let now = self.agent.wire.time.now();
                let cert = Primary::generate_software(&format!("countersign instance {}", hostname()), now)?;
                let secret = certificate::to_secret_bytes(&cert)?;
                let slot = Slot::instance_key(&certificate::fingerprint(&cert)?);
                let protection = slot.store(&self.agent.state, &secret)?;
                let base = cert.clone().strip_secret_key_material();
                let primary = Primary::Software { cert: Box::new(cert), protection };
                Ok(Made { base, primary, key_store: KeyStore::Sealed })
            }
            EnrollKeyStore::Card(ident) => {
                let (base, pin, protection) = self.make_card_key(*ident, person)?;
                let primary = Primary::Card { ident: *ident, pin, protection };
                Ok(Made { base, primary, key_store: KeyStore::Card(*ident) })
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
