//! `card init`: a new card made ready, before or without an account.

use countersign_protocol::ipc::{CardInit, CardMade, NoteKind, ProblemKind};

use super::making::{Making, Wish, list, make};
use super::{Chosen, Desk};
use crate::card::{Details, Personal, PinKind};
use crate::card_pins;
use crate::person::Person;
use crate::trouble::Trouble;

pub(super) fn init(desk: &Desk<'_>, ask: &CardInit, person: &mut Person) -> Result<CardMade, Trouble> {
    let personal = Personal::new(ask.cardholder.as_deref(), ask.url.as_deref(), ask.touch)
        .map_err(|message| Trouble::new(ProblemKind::Usage, message))?;
    let wish = Wish::new(&ask.algorithm, &ask.user_id, personal)?;
    let chosen = desk.choose(ask.card, person)?;
    let details = chosen.details(person)?;
    let again = desk.agent.made_keys.broke_off(&details);
    if again {
        let text = format!("Going on with {}, on which making keys broke off before.", chosen.name);
        person.note(NoteKind::Info, &text);
    } else {
        refuse_if_in_use(&chosen, &details)?;
    }
    if ask.touch.is_some_and(countersign_protocol::ipc::TouchPolicy::is_final) {
        let text = "The touch policy you chose stays until the card is erased.";
        person.note(NoteKind::Info, text);
    }
    let pins = chosen.pins(person)?;
    let current = card_pins::ask_current(person, chosen.card, &chosen.name, pins)?;
    let user = card_pins::ask_new(person, PinKind::User, pins)?;
    let admin = card_pins::ask_new(person, PinKind::Admin, pins)?;
    let new_pins = Some([user, admin]);
    make(Making { chosen: &chosen, wish, current, new_pins, again }, person)
}

/// Somebody's card is nobody else's to prepare.
fn refuse_if_in_use(chosen: &Chosen<'_>, details: &Details) -> Result<(), Trouble> {
    let keys = list(&details.keys);
    let is_there = if !keys.is_empty() {
        format!("holds keys already: {}", keys.join(", "))
    } else if let Some(name) = &details.cardholder {
        format!("bears a name already: {name}")
    } else if let Some(url) = &details.url {
        format!("bears the address of a certificate already: {url}")
    } else {
        return Ok(());
    };
    Err(Trouble::new(
        ProblemKind::Card,
        format!(
            "{} {is_there}. Nothing was changed. To use its keys: countersign card adopt CERTIFICATE. To make new ones: countersign card generate. To erase it: countersign card factory-reset.",
            chosen.full()
        ),
    ))
}
