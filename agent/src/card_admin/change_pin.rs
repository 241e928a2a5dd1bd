//! `card change-pin`: another PIN, another admin PIN, another resetting code.

use countersign_protocol::ipc::{CardChange, CardChangePin, CardChanged, CardPin};

use super::{Chosen, Desk};
use crate::card::{ChangePin, PinKind, PinReport, SetResetCode};
use crate::card_pins;
use crate::person::Person;
use crate::trouble::Trouble;

pub(super) fn change_pin(
    desk: &Desk<'_>,
    ask: &CardChangePin,
    person: &mut Person,
) -> Result<CardChanged, Trouble> {
    let chosen = desk.choose(ask.card, person)?;
    let pins = chosen.pins(person)?;
    match ask.pin {
        CardPin::User => change(&chosen, PinKind::User, pins, person),
        CardPin::Admin => change(&chosen, PinKind::Admin, pins, person),
        CardPin::ResetCode => set_code(&chosen, true, pins, person),
        CardPin::NoResetCode => set_code(&chosen, false, pins, person),
    }
}

pub(super) fn change(
    chosen: &Chosen<'_>,
    kind: PinKind,
    pins: PinReport,
    person: &mut Person,
) -> Result<CardChanged, Trouble> {
    let current = card_pins::ask_held(person, kind, &chosen.name, pins)?;
    let new = card_pins::ask_new(person, kind, pins)?;
    let plan = ChangePin { admin: kind == PinKind::Admin, current, new };
    let turn = chosen.turn(person)?;
    turn.cards().change_pin(chosen.card, plan).map_err(|error| chosen.admin_failed(&error))?;
    let what = if kind == PinKind::Admin { "admin PIN changed" } else { "PIN changed" };
    let message = format!("The {kind} of {} is changed.", chosen.full());
    Ok(chosen.changed(CardChange::Pin, what, message))
}

fn set_code(
    chosen: &Chosen<'_>,
    wanted: bool,
    pins: PinReport,
    person: &mut Person,
) -> Result<CardChanged, Trouble> {
    let admin = card_pins::ask_held(person, PinKind::Admin, &chosen.name, pins)?;
    let new = if wanted { Some(card_pins::ask_new(person, PinKind::ResetCode, pins)?) } else { None };
    let plan = SetResetCode { admin, new };
    let turn = chosen.turn(person)?;
    turn.cards().set_reset_code(chosen.card, plan).map_err(|error| chosen.admin_failed(&error))?;
    let (what, message) = if wanted {
        let use_it =
            "Whoever has it can set a new PIN, and nothing else: countersign card unblock --reset-code";
        ("resetting code set", format!("{} has a new resetting code. {use_it}", chosen.full()))
    } else {
        ("resetting code removed", format!("{} has no resetting code any more.", chosen.full()))
    };
    Ok(chosen.changed(CardChange::Pin, what, message))
}
