//! The key that will name this host: in a file, or on a card whose PINs only this host knows.

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::ids::CardIdent;
use countersign_protocol::ipc::{EnrollKeyStore, NoteKind, ProblemKind};
use countersign_protocol::message::KeyStore;

use super::Enrolment;
use crate::card::{Algorithm, GenerateHost, HostPins, Pin};
use crate::card_pins::{self, CurrentPins};
use crate::instance_key::{BACKDATE, Primary, StoredPins};
use crate::person::Person;
use crate::trouble::Trouble;
use crate::vault::{HOST_PINS, INSTANCE_KEY, Protection};

/// The card that has the PINs in the vault, once it has them.
const PINS_OF: &str = "host-card.json";

struct HostCardPins {
    current: CurrentPins,
    new: HostPins,
    protection: Protection,
}

impl Enrolment<'_> {
    /// Makes it, and keeps what is needed to use it.
    pub(super) fn make_key(&self, person: &mut Person) -> Result<(Cert, Primary, KeyStore), Trouble> {
        let now = self.agent.wire.time.now();
        let hostname = hostname();
        match &self.ask.key_store {
            EnrollKeyStore::Sealed => {
                let cert = Primary::generate_software(&format!("countersign instance {hostname}"), now)?;
                let secret = certificate::to_secret_bytes(&cert)?;
                let protection = INSTANCE_KEY.store(&self.agent.state, &secret)?;
                let base = cert.clone().strip_secret_key_material();
                Ok((base, Primary::Software { cert: Box::new(cert), protection }, KeyStore::Sealed))
            }
            EnrollKeyStore::Card(ident) => {
                let name = self.agent.name_of(*ident)?;
                let pins = self.host_pins(*ident, &name, person)?;
                let protection = pins.protection;
                let user = pins.new.user.clone();
                let plan = GenerateHost {
                    algorithm: Algorithm::Curve25519,
                    user_pin: pins.current.user,
                    admin_pin: pins.current.admin,
                    new_pins: pins.new,
                    hostname,
                    now: now.plus(-BACKDATE),
                    replace: true,
                };
                let base = self
                    .agent
                    .cards
                    .generate_host_key(*ident, plan, &mut |step| {
                        person.note(NoteKind::Info, &crate::trouble::sentence(&step.to_string()));
                    })
                    .map_err(|error| {
                        Trouble::new(ProblemKind::Card, crate::trouble::sentence(&error.to_string()))
                    })?;
                self.agent.state.write(PINS_OF, ident)?;
                Ok((base, Primary::Card { ident: *ident, pin: user, protection }, KeyStore::Card(*ident)))
            }
        }
    }

    /// The card's PINs now, and those it shall have. A card that got its PINs from this host before, in an
    /// enrolment that came to nothing, keeps them: nobody else knows them.
    fn host_pins(&self, card: CardIdent, name: &str, person: &mut Person) -> Result<HostCardPins, Trouble> {
        let state = &self.agent.state;
        if state.read::<CardIdent>(PINS_OF)? == Some(card)
            && let Some((kept, protection)) = HOST_PINS.load(state)?
            && let Some(kept) = StoredPins::parse(&kept)
        {
            let (user, admin) = (Pin::new(kept.user)?, Pin::admin(kept.admin)?);
            let current = CurrentPins { user: user.clone(), admin: admin.clone() };
            return Ok(HostCardPins { current, new: HostPins { user, admin }, protection });
        }
        let current = card_pins::ask_current(person, card, name)?;
        let random = self.agent.random.as_ref();
        let new = HostPins { user: Pin::unguessable(random)?, admin: Pin::unguessable(random)? };
        state.remove(PINS_OF)?;
        // First on the disk, then on the card: a card whose PINs nobody knows is lost.
        let bytes = StoredPins::to_bytes(new.user.expose(), new.admin.expose());
        let protection = HOST_PINS.store(state, &bytes)?;
        Ok(HostCardPins { current, new, protection })
    }
}

/// What the host calls itself: shown, never trusted.
pub(super) fn hostname() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let plain: String = name.chars().filter(|c| !c.is_control()).take(253).collect();
    if plain.is_empty() { "unnamed".to_owned() } else { plain }
}
