//! A key on the host's card, and the card's PINs, of which the vault holds the only copy.
//!
//! They are on the disk before the card is touched: from then on the card has them, or may have them, and nothing
//! takes their place.

use countersign_protocol::certificate::Cert;
use countersign_protocol::ids::CardIdent;
use countersign_protocol::ipc::{NoteKind, ProblemKind};

use super::host_key::{KeyMaker, hostname};
use crate::card::{
    Algorithm, Asker, CardError, CardState, Entered, GenerateError, GenerateHost, HostPins, Pin, PinKind,
    PinReport,
};
use crate::card_pins::{self, CurrentPins};
use crate::instance_key::{BACKDATE, StoredPins};
use crate::person::Person;
use crate::trouble::{Trouble, sentence};
use crate::vault::{Protection, Slot};

/// Tries that a card must have left for kept PINs to be tried on it: one for them, one for the person after
/// that, and the last one for nobody.
const TRIES: u8 = 3;

impl KeyMaker<'_> {
    /// Makes the key, and replaces the PINs.
    pub(super) fn make_card_key(
        &self,
        card: CardIdent,
        person: &mut Person,
    ) -> Result<(Cert, Pin, Protection), Trouble> {
        let agent = self.agent;
        let name = agent.name_of(card)?;
        if let Some((kept, protection)) = self.kept_pins(card)? {
            let cert = self.with_kept_pins(card, &name, &kept, person)?;
            return Ok((cert, kept.user, protection));
        }
        let current = self.ask_current(card, &name, person)?;
        let new = HostPins::unguessable(agent.random.as_ref())?;
        // First on the disk, then on the card: a card whose PINs nobody knows is lost.
        let bytes = StoredPins::to_bytes(new.user.expose(), new.admin.expose());
        let slot = Slot::host_pins(card);
        let protection = slot.store(&agent.state, &bytes)?;
        let user = new.user.clone();
        let made = self.generate(card, current, new, person);
        if let Err(GenerateError { state: CardState::Unchanged | CardState::OldPins, .. }) = made {
            slot.erase(&agent.state)?;
        }
        Ok((made.map_err(|error| told(&error))?, user, protection))
    }

    /// PINs that this host made for this card before: the card has them, or an enrolment came to nothing.
    fn kept_pins(&self, card: CardIdent) -> Result<Option<(HostPins, Protection)>, Trouble> {
        let Some((kept, protection)) = Slot::host_pins(card).load(&self.agent.state)? else {
            return Ok(None);
        };
        let Some(kept) = StoredPins::parse(&kept) else { return Ok(None) };
        Ok(Some((HostPins { user: Pin::new(kept.user)?, admin: Pin::admin(kept.admin)? }, protection)))
    }

    /// The card has both kept PINs, or the user's alone, or none: the interruption came before the change.
    fn with_kept_pins(
        &self,
        card: CardIdent,
        name: &str,
        kept: &HostPins,
        person: &mut Person,
    ) -> Result<Cert, Trouble> {
        let mut both = CurrentPins {
            user: Entered::stored(kept.user.clone()),
            admin: Entered::stored(kept.admin.clone()),
        };
        if self.pins(card, person)?.tries(PinKind::User) >= TRIES {
            match self.generate(card, both, kept.clone(), person) {
                Ok(cert) => return Ok(cert),
                Err(GenerateError { cause: CardError::WrongPin { .. }, .. }) => {
                    both = self.ask_current(card, name, person)?;
                }
                Err(GenerateError { cause: CardError::WrongAdminPin { .. }, .. }) => {
                    person.note(
                        NoteKind::Info,
                        "The card's PIN was replaced before, its admin PIN was not: its PIN is known here.",
                    );
                    let typed = self.ask_current(card, name, person)?;
                    both = CurrentPins { user: Entered::stored(kept.user.clone()), admin: typed.admin };
                }
                Err(error) => return Err(told(&error)),
            }
        } else {
            both = self.ask_current(card, name, person)?;
        }
        self.generate(card, both, kept.clone(), person).map_err(|error| told(&error))
    }

    fn pins(&self, card: CardIdent, person: &mut Person) -> Result<PinReport, Trouble> {
        Ok(self.agent.cards.turn(card, &Asker::host(), person)?.cards().pins(card)?)
    }

    fn ask_current(&self, card: CardIdent, name: &str, person: &mut Person) -> Result<CurrentPins, Trouble> {
        let pins = self.pins(card, person)?;
        card_pins::ask_current(person, card, name, pins)
    }

    fn generate(
        &self,
        card: CardIdent,
        current: CurrentPins,
        new_pins: HostPins,
        person: &mut Person,
    ) -> Result<Cert, GenerateError> {
        let plan = GenerateHost {
            algorithm: Algorithm::Curve25519,
            user_pin: current.user,
            admin_pin: current.admin,
            new_pins,
            hostname: hostname(),
            now: self.agent.wire.time.now().plus(-BACKDATE),
            replace: true,
            keep: self.link.map(|link| link.instance.fingerprint.clone()),
        };
        let turn = self.agent.cards.turn(card, &Asker::host(), person);
        let mut turn = turn.map_err(|cause| GenerateError { cause, state: CardState::Unchanged })?;
        let (cards, waiting) = turn.split();
        cards.generate_host_key(card, plan, &mut |step| waiting.note(&sentence(&step.to_string())))
    }
}

fn told(error: &GenerateError) -> Trouble {
    Trouble::new(ProblemKind::Card, sentence(&error.to_string()))
}
