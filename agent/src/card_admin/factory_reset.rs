//! `card factory-reset`: everything on the card erased.

use countersign_protocol::ipc::{CardChange, CardChanged, CardFactoryReset, CardSlot, NoteKind, ProblemKind};

use super::making::list;
use super::{Chosen, Desk, confirm_by_number, progress};
use crate::card::{CardError, Details, Entered, FactoryReset, Pin, PinKind, PinReport};
use crate::card_pins;
use crate::person::Person;
use crate::trouble::{Trouble, sentence};

pub(super) fn factory_reset(
    desk: &Desk<'_>,
    ask: &CardFactoryReset,
    person: &mut Person,
) -> Result<CardChanged, Trouble> {
    if ask.card.is_none()
        && let Some(done) = finish(desk, person)?
    {
        return Ok(done);
    }
    let chosen = desk.choose(ask.card, person)?;
    let details = chosen.details(person)?;
    if !details.erasable {
        return Err(chosen.card_failed(&CardError::Unsupported("it cannot be erased".to_owned())));
    }
    tell_what_is_lost(&chosen, &details, person);
    let question = format!("Erase {} for ever? Type yes to go on: ", chosen.full());
    if !card_pins::is_yes(&person.ask_shown(&question)?) {
        return Err(Trouble::new(ProblemKind::Cancelled, "The card is as it was."));
    }
    let pins = chosen.pins(person)?;
    let admin = ask_admin(pins, &chosen, person)?;
    if admin.is_none() {
        let text = "Its PINs are blocked first, as cards want it where the admin PIN is not known.";
        person.note(NoteKind::Info, text);
    }
    confirm_by_number(person, &chosen, "erase it now")?;
    let plan = FactoryReset { admin, wrong: Pin::unguessable(desk.agent.random.as_ref())? };
    let mut turn = chosen.turn(person)?;
    let (cards, waiting) = turn.split();
    cards
        .factory_reset(chosen.card, plan, &mut |step| progress(waiting, step))
        .map_err(|error| chosen.admin_failed(&error))?;
    desk.agent.made_keys.forget(chosen.card)?;
    let message = erased(&chosen, &details);
    Ok(chosen.changed(CardChange::Erased, "erased", message))
}

/// A card that was pulled in the middle has no number to be named by.
fn finish(desk: &Desk<'_>, person: &mut Person) -> Result<Option<CardChanged>, Trouble> {
    let cards = desk.agent.cards.list();
    let Some(seen) = cards.iter().find(|seen| seen.problem == Some(CardError::Terminated)) else {
        return Ok(None);
    };
    let question = format!(
        "The card in {} was being erased, and that broke off. Type yes to finish it, or press Enter for another card: ",
        seen.reader
    );
    if !card_pins::is_yes(&person.ask_shown(&question)?) {
        return Ok(None);
    }
    let failed = |text: String| Trouble::new(ProblemKind::Card, sentence(&text));
    desk.agent.cards.finish_reset(&seen.reader).map_err(|error| failed(error.to_string()))?;
    let reader = seen.reader.clone();
    let deadline = person.deadline();
    let fresh = desk
        .agent
        .cards
        .wait_for(&|seen| seen.reader == reader && seen.ident.is_some(), deadline, &|| person.is_gone())
        .map_err(|error| failed(error.to_string()))?;
    let chosen = desk.chosen(&fresh)?;
    desk.agent.made_keys.forget(chosen.card)?;
    let message = format!("{} is erased, and as from the factory. {NEXT}", chosen.full());
    Ok(Some(chosen.changed(CardChange::Erased, "erased", message)))
}

const NEXT: &str = "Its PIN is 123456 and its admin PIN 12345678, as everybody knows. Make it ready with: countersign card init";

fn tell_what_is_lost(chosen: &Chosen<'_>, details: &Details, person: &mut Person) {
    let mut note = |text: &str| person.note(NoteKind::Info, text);
    let keys = list(&details.keys);
    if keys.is_empty() {
        note(&format!("{} holds no keys.", chosen.full()));
    } else {
        note(&format!("{} holds keys, which are lost with everything encrypted to them:", chosen.full()));
    }
    for key in keys {
        note(&format!("  {key}"));
    }
    if let Some(name) = &details.cardholder {
        note(&format!("It bears the name {name}."));
    }
    for account in &chosen.accounts {
        note(&format!("It opens {account} here."));
    }
}

/// The admin PIN, if somebody knows it and the card still takes it.
fn ask_admin(pins: PinReport, chosen: &Chosen<'_>, person: &mut Person) -> Result<Option<Entered>, Trouble> {
    if pins.tries(PinKind::Admin) == 0 {
        return Ok(None);
    }
    let question = format!("Does anybody know the admin PIN of {}? Type yes, or press Enter: ", chosen.name);
    if !card_pins::is_yes(&person.ask_shown(&question)?) {
        return Ok(None);
    }
    card_pins::ask_held(person, PinKind::Admin, &chosen.name, pins).map(Some)
}

fn erased(chosen: &Chosen<'_>, details: &Details) -> String {
    let mut message = format!("{} is erased, and as from the factory. {NEXT}", chosen.full());
    let signing = details.keys.iter().find(|key| key.slot == CardSlot::Signature);
    if let Some(key) = signing.and_then(|key| key.fingerprint.as_ref()) {
        for account in &chosen.accounts {
            message.push_str(&format!(
                "\nIts old key still counts as {account}'s, though nobody has it any more. An administrator revokes it with: countersign admin key revoke {key}"
            ));
        }
    }
    message
}
