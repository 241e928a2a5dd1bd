//! What `card init` and `card generate` share: the wish checked, the keys made, the certificate kept.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::ipc::{CardKey, CardMade, NoteKind, ProblemKind};
use countersign_protocol::key_words::key_words;

use super::Chosen;
use crate::card::{Algorithm, CardState, Generate, Personal, Pin, Progress};
use crate::card_pins::CurrentPins;
use crate::instance_key::BACKDATE;
use crate::person::Person;
use crate::trouble::{Trouble, sentence};

/// Longest user id in bytes: a name and an address.
const USER_ID: usize = 256;

/// Keys as they are wanted.
pub(super) struct Wish {
    pub(super) algorithm: Algorithm,
    pub(super) user_id: String,
    pub(super) personal: Personal,
}

impl Wish {
    pub(super) fn new(algorithm: &str, user_id: &str, personal: Personal) -> Result<Self, Trouble> {
        let usage = |message: String| Trouble::new(ProblemKind::Usage, message);
        let algorithm =
            algorithm.parse::<Algorithm>().map_err(|error| usage(sentence(&error.to_string())))?;
        if user_id.trim().is_empty() || user_id.len() > USER_ID || user_id.chars().any(char::is_control) {
            return Err(usage(format!("The user id has 1 to {USER_ID} printable characters.")));
        }
        Ok(Self { algorithm, user_id: user_id.to_owned(), personal })
    }
}

/// What is to be done to a card.
pub(super) struct Making<'a> {
    pub(super) chosen: &'a Chosen<'a>,
    pub(super) wish: Wish,
    pub(super) current: CurrentPins,
    /// User and admin PIN; none lets both stay.
    pub(super) new_pins: Option<[Pin; 2]>,
    /// An attempt before this one may have set the new PINs.
    pub(super) again: bool,
}

/// Makes the keys and their certificate, which is kept until it is registered.
pub(super) fn make(making: Making<'_>, person: &mut Person) -> Result<CardMade, Trouble> {
    let Making { chosen, wish, current, new_pins, again } = making;
    let (agent, card) = (chosen.agent(), chosen.card);
    if let Some(warning) = wish.algorithm.warning() {
        person.note(NoteKind::Info, warning);
    }
    let now = agent.wire.time.now().plus(-BACKDATE);
    let plan = Generate {
        algorithm: wish.algorithm,
        user_pin: current.user,
        admin_pin: current.admin,
        new_pins,
        same_pins: again,
        personal: wish.personal,
        user_id: wish.user_id,
        now,
        replace: true,
    };
    let mut turn = chosen.turn(person)?;
    let (cards, waiting) = turn.split();
    // On the disk first: if it breaks off, the keys that are half made are known for what they are.
    agent.made_keys.begin(card, None, now)?;
    let made = cards.generate(card, plan, &mut |step| {
        waiting.note(&sentence(&step.to_string()));
        if chosen.touch && step == Progress::Certificate {
            waiting.note("Touch the card whenever it blinks: once for each of three signatures.");
        }
    });
    let made = match made {
        Ok(made) => made,
        Err(error) => {
            if error.state == CardState::Unchanged {
                agent.made_keys.never_began(card, now)?;
            }
            return Err(chosen.failed(&error.cause, &error.to_string()));
        }
    };
    let bytes = Binary(certificate::to_bytes(&made)?);
    agent.made_keys.finish(card, None, now, bytes.clone())?;
    chosen.journal("keys made");
    let fingerprint = certificate::fingerprint(&made)?;
    Ok(CardMade { card, key_words: key_words(&fingerprint), fingerprint, certificate: bytes })
}

/// `signature 0123 4567 …, decryption …`.
pub(super) fn list(keys: &[CardKey]) -> Vec<String> {
    let name = |key: &CardKey| Some(format!("{} {}", key.slot, key.fingerprint.as_ref()?.spaced()));
    keys.iter().filter(|key| is_ours_to_replace(key)).filter_map(name).collect()
}

/// A YubiKey's attestation key stays whatever happens.
fn is_ours_to_replace(key: &CardKey) -> bool {
    key.slot != countersign_protocol::ipc::CardSlot::Attestation
}
