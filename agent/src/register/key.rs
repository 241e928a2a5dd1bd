//! The key to be registered: made on the card, or brought along by it.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::ids::{AccountName, CardIdent, Fingerprint};
use countersign_protocol::ipc::{NoteKind, ProblemKind};
use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::card::{Algorithm, Asker, CardError, Generate, Pin};
use crate::card_pins;
use crate::instance_key::BACKDATE;
use crate::person::Person;
use crate::session::Choice;
use crate::state::StateError;
use crate::trouble::{Trouble, sentence};

/// Keys that were made and are not registered yet: a wrong code must not cost the card.
const FILE: &str = "registering.json";

/// A key in a card.
pub(super) struct CardKey {
    pub(super) certificate: Cert,
    pub(super) signing_key: Fingerprint,
    /// Typed a moment ago as the card's new PIN.
    pub(super) pin: Option<Pin>,
}

/// Public data.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    account: AccountName,
    card: CardIdent,
    certificate: Binary,
}

/// Makes keys on the card and replaces both PINs – or goes on with the keys made here for this account before.
pub(super) fn generate(
    agent: &Agent,
    asker: &Asker,
    account: &AccountName,
    card: &Choice,
    algorithm: &str,
    person: &mut Person,
) -> Result<CardKey, Trouble> {
    let algorithm: Algorithm = algorithm.parse().map_err(|_| {
        Trouble::new(
            ProblemKind::Usage,
            format!("{algorithm:?} is none of curve25519, nist-p256, nist-p384, rsa2048, rsa3072, rsa4096."),
        )
    })?;
    let seen = agent.cards.list().into_iter().find(|seen| seen.ident == Some(card.card));
    let seen = seen.ok_or(CardError::NoCard)?;
    if seen.has_keys {
        return made_before(agent, account, card, seen.signing_key, person);
    }
    let current = card_pins::ask_current(person, card.card, &card.name)?;
    let new_user_pin = card_pins::ask_new_user(person)?;
    let new_admin_pin = card_pins::ask_new_admin(person)?;
    let plan = Generate {
        algorithm,
        user_pin: current.user,
        admin_pin: current.admin,
        new_user_pin: new_user_pin.clone(),
        new_admin_pin,
        user_id: account.as_str().to_owned(),
        now: agent.wire.time.now().plus(-BACKDATE),
        replace: false,
    };
    let mut turn = agent.cards.turn(card.card, asker, person)?;
    let (cards, waiting) = turn.split();
    let made = cards
        .generate(card.card, plan, &mut |step| waiting.note(&sentence(&step.to_string())))
        .map_err(|error| Trouble::new(ProblemKind::Card, sentence(&error.to_string())))?;
    // As everybody else will read it: the commitment is over exactly these bytes.
    let bytes = certificate::to_bytes(&made)?;
    let made = Made { account: account.clone(), card: card.card, certificate: Binary(bytes) };
    agent.state.write(FILE, &made)?;
    let mut key = adopt(agent, card, &made.certificate.0)?;
    key.pin = Some(new_user_pin);
    Ok(key)
}

fn made_before(
    agent: &Agent,
    account: &AccountName,
    card: &Choice,
    signing_key: Option<Fingerprint>,
    person: &mut Person,
) -> Result<CardKey, Trouble> {
    let made: Option<Made> = agent.state.read(FILE).unwrap_or(None);
    let made = made.filter(|made| made.account == *account && made.card == card.card);
    if let Some(made) = made {
        let key = adopt(agent, card, &made.certificate.0)?;
        if Some(&key.signing_key) == signing_key.as_ref() {
            person.note(NoteKind::Info, "Going on with the keys that were made on this card before.");
            return Ok(key);
        }
    }
    Err(Trouble::new(
        ProblemKind::Card,
        format!(
            "{} ({}) holds keys already; they are not overwritten. To register them: countersign register {account} --adopt CERTIFICATE. To erase the card: gpg --card-edit, admin, factory-reset.",
            card.name, card.card
        ),
    ))
}

/// Takes the card's own key, with the certificate that goes with it.
pub(super) fn adopt(agent: &Agent, card: &Choice, bytes: &[u8]) -> Result<CardKey, Trouble> {
    let certificate = certificate::parse(bytes)
        .map_err(|error| Trouble::new(ProblemKind::Usage, sentence(&error.to_string())))?;
    let signing_key = agent.cards.check_adoptable(card.card, &certificate, agent.wire.time.now())?;
    Ok(CardKey { certificate, signing_key, pin: None })
}

/// The registration is over.
pub(super) fn forget(agent: &Agent) -> Result<(), StateError> {
    agent.state.remove(FILE)
}
