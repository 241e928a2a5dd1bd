//! `card generate`: new keys, the same PINs.

use countersign_protocol::ipc::{CardGenerate, CardMade, NoteKind};

use super::making::{Making, Wish, list, make};
use super::{Desk, confirm_by_number};
use crate::card::{Personal, PinKind};
use crate::card_pins::{self, CurrentPins};
use crate::person::Person;
use crate::trouble::Trouble;

pub(super) fn generate(
    desk: &Desk<'_>,
    ask: &CardGenerate,
    person: &mut Person,
) -> Result<CardMade, Trouble> {
    let wish = Wish::new(&ask.algorithm, &ask.user_id, Personal::default())?;
    let chosen = desk.choose(ask.card, person)?;
    let details = chosen.details(person)?;
    let keys = list(&details.keys);
    if !keys.is_empty() {
        let text = format!("{} holds keys, which new ones would replace for ever:", chosen.full());
        person.note(NoteKind::Info, &text);
        for key in keys {
            person.note(NoteKind::Info, &format!("  {key}"));
        }
        let text = "Files and mails that were encrypted to the old decryption key become unreadable, unless there is a copy of it elsewhere.";
        person.note(NoteKind::Info, text);
        for account in &chosen.accounts {
            let text = format!("{account} cannot log in with this card until the new key is registered.");
            person.note(NoteKind::Info, &text);
        }
        confirm_by_number(person, &chosen, "replace them")?;
    }
    let pins = chosen.pins(person)?;
    let user = card_pins::ask_held(person, PinKind::User, &chosen.name, pins)?;
    let admin = card_pins::ask_held(person, PinKind::Admin, &chosen.name, pins)?;
    let current = CurrentPins { user, admin };
    make(Making { chosen: &chosen, wish, current, new_pins: None, again: false }, person)
}
