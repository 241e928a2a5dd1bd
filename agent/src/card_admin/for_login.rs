//! `passwd`: another PIN for the card of a login, and for no other card.

use countersign_protocol::ids::{AccountName, CardIdent, Fingerprint};
use countersign_protocol::ipc::NoteKind;

use super::{Chosen, Desk, change_pin, unblock};
use crate::agent::Agent;
use crate::card::{Asker, CardError, CardSeen, PinKind};
use crate::card_choice;
use crate::person::Person;
use crate::trouble::Trouble;

/// What became of the card's PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPin {
    /// Of which card.
    pub card: CardIdent,
    /// Whose key it holds, if one account's.
    pub account: Option<AccountName>,
    /// The card was blocked before.
    pub was_blocked: bool,
    /// For the person, and for the ledger.
    pub message: String,
}

/// Waits for a card with one of these keys, and says that its PIN can be replaced: with its own, or, where that is
/// blocked, with the resetting code or the admin PIN.
///
/// # Errors
/// No such card in time, cancelled, or nothing but erasing it helps.
pub fn find_for_login(
    agent: &Agent,
    asker: Asker,
    keys: &[Fingerprint],
    person: &mut Person,
) -> Result<(), Trouble> {
    let desk = Desk { agent, asker };
    let chosen = choose(&desk, keys, person)?;
    let pins = chosen.pins(person)?;
    let dead = [PinKind::User, PinKind::ResetCode, PinKind::Admin].map(|kind| pins.tries(kind)) == [0; 3];
    if dead { Err(chosen.card_failed(&CardError::AdminBlocked)) } else { Ok(()) }
}

/// Replaces it.
///
/// # Errors
/// [`Trouble`], which says how the card is now.
pub fn new_pin(
    agent: &Agent,
    asker: Asker,
    keys: &[Fingerprint],
    person: &mut Person,
) -> Result<NewPin, Trouble> {
    let desk = Desk { agent, asker };
    let chosen = choose(&desk, keys, person)?;
    let pins = chosen.pins(person)?;
    let was_blocked = pins.tries(PinKind::User) == 0;
    let changed = if was_blocked {
        let text = format!("The PIN of {} is blocked. A new one can be set.", chosen.name);
        person.note(NoteKind::Error, &text);
        unblock::with(&chosen, None, pins, person)?
    } else {
        change_pin::change(&chosen, PinKind::User, pins, person)?
    };
    let account = if let [one] = chosen.accounts.as_slice() { Some(one.clone()) } else { None };
    Ok(NewPin { card: changed.card, account, was_blocked, message: changed.message })
}

fn choose<'d>(desk: &'d Desk<'d>, keys: &[Fingerprint], person: &mut Person) -> Result<Chosen<'d>, Trouble> {
    let is_wanted = |seen: &CardSeen| seen.signing_key.as_ref().is_some_and(|key| keys.contains(key));
    let insert = "Insert the card of this login.";
    desk.chosen(&card_choice::choose_among(desk.agent, &is_wanted, insert, person)?)
}
