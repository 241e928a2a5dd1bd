//! `card unblock`: a new PIN, by the resetting code or the admin PIN.

use countersign_protocol::ipc::{CardChange, CardChanged, CardUnblock, NoteKind, ProblemKind, UnblockWith};

use super::{Chosen, Desk};
use crate::card::{CardError, PinKind, PinReport, Unblock, UnblockBy};
use crate::card_pins;
use crate::person::Person;
use crate::trouble::{Trouble, sentence};

pub(super) fn unblock(
    desk: &Desk<'_>,
    ask: &CardUnblock,
    person: &mut Person,
) -> Result<CardChanged, Trouble> {
    let chosen = desk.choose(ask.card, person)?;
    let pins = chosen.pins(person)?;
    if pins.tries(PinKind::User) > 0 {
        let text = format!(
            "{} is not blocked. Its PIN will be replaced; whoever knows it changes it with: countersign card change-pin",
            chosen.name
        );
        person.note(NoteKind::Info, &text);
    }
    with(&chosen, ask.with, pins, person)
}

/// Of a card that was chosen.
pub(super) fn with(
    chosen: &Chosen<'_>,
    with: Option<UnblockWith>,
    pins: PinReport,
    person: &mut Person,
) -> Result<CardChanged, Trouble> {
    let by = match choose(with, pins, person)? {
        UnblockWith::ResetCode => {
            UnblockBy::ResetCode(card_pins::ask_held(person, PinKind::ResetCode, &chosen.name, pins)?)
        }
        UnblockWith::AdminPin => {
            UnblockBy::Admin(card_pins::ask_held(person, PinKind::Admin, &chosen.name, pins)?)
        }
    };
    let new = card_pins::ask_new(person, PinKind::User, pins)?;
    let turn = chosen.turn(person)?;
    turn.cards().unblock(chosen.card, Unblock { by, new }).map_err(|error| chosen.admin_failed(&error))?;
    let message = sentence(&format!("{} has a new PIN, with all its tries.", chosen.full()));
    Ok(chosen.changed(CardChange::Unblocked, "unblocked", message))
}

/// What was asked for, or what the card has, or what the person has.
fn choose(with: Option<UnblockWith>, pins: PinReport, person: &mut Person) -> Result<UnblockWith, Trouble> {
    if let Some(with) = with {
        return Ok(with);
    }
    match (pins.tries(PinKind::ResetCode), pins.tries(PinKind::Admin)) {
        (0, 0) => Err(CardError::AdminBlocked.into()),
        (0, _) => Ok(UnblockWith::AdminPin),
        (_, 0) => Ok(UnblockWith::ResetCode),
        _ => {
            match person.ask_shown("With what? 1 = its resetting code, 2 = its admin PIN (number): ")?.trim()
            {
                "1" => Ok(UnblockWith::ResetCode),
                "2" => Ok(UnblockWith::AdminPin),
                _ => Err(Trouble::new(ProblemKind::Usage, "That is neither. Nothing was done; try again.")),
            }
        }
    }
}
