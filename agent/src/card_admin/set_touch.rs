//! `card set-touch`: when the card's keys want a touch.

use countersign_protocol::ipc::{CardChange, CardChanged, CardKey, CardSetTouch, ProblemKind, TouchPolicy};

use super::Desk;
use crate::card::{CardError, PinKind, SetTouch};
use crate::card_pins;
use crate::person::Person;
use crate::trouble::Trouble;

const YUBICO: u16 = 0x0006;

pub(super) fn set_touch(
    desk: &Desk<'_>,
    ask: &CardSetTouch,
    person: &mut Person,
) -> Result<CardChanged, Trouble> {
    if ask.keys.is_empty() {
        return Err(Trouble::new(ProblemKind::Usage, "Name at least one key."));
    }
    let chosen = desk.choose(ask.card, person)?;
    let details = chosen.details(person)?;
    // Everything that can be refused is refused before anybody types a PIN.
    possible(ask, &details.keys, chosen.card.manufacturer()).map_err(|error| chosen.card_failed(&error))?;
    if ask.policy.is_final() {
        let question = format!(
            "The policy {} stays for ever: only erasing {} takes it away again. Type yes to set it: ",
            ask.policy, chosen.name
        );
        if !card_pins::is_yes(&person.ask_shown(&question)?) {
            return Err(Trouble::new(ProblemKind::Cancelled, "Nothing was changed."));
        }
    }
    let pins = chosen.pins(person)?;
    let admin = card_pins::ask_held(person, PinKind::Admin, &chosen.name, pins)?;
    let plan = SetTouch { admin, keys: ask.keys.clone(), policy: ask.policy };
    let turn = chosen.turn(person)?;
    turn.cards().set_touch(chosen.card, plan).map_err(|error| chosen.admin_failed(&error))?;
    let keys: Vec<String> = ask.keys.iter().map(ToString::to_string).collect();
    let message =
        format!("Touch is {} now for these keys of {}: {}.", ask.policy, chosen.full(), keys.join(", "));
    Ok(chosen.changed(CardChange::Touch, "touch policy set", message))
}

fn possible(ask: &CardSetTouch, keys: &[CardKey], manufacturer: u16) -> Result<(), CardError> {
    for slot in &ask.keys {
        let policy = keys.iter().find(|key| key.slot == *slot).and_then(|key| key.touch);
        match policy {
            None => {
                return Err(CardError::Unsupported(format!("it offers no touch for its {slot} key")));
            }
            Some(policy) if policy.is_final() => return Err(CardError::TouchFixed(*slot)),
            Some(_) => {}
        }
    }
    if matches!(ask.policy, TouchPolicy::Cached | TouchPolicy::CachedFixed) && manufacturer != YUBICO {
        return Err(CardError::Unsupported("it offers off, on and fixed; cached is for YubiKeys".to_owned()));
    }
    Ok(())
}
