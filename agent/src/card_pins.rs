//! Asking a person for the PINs of a card that is about to get new keys.

use countersign_protocol::ids::CardIdent;
use countersign_protocol::ipc::{NoteKind, ProblemKind};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::card::Pin;
use crate::person::{Gone, Person};
use crate::trouble::Trouble;

/// How often something mistyped may be typed again before it is given up.
const AGAIN: usize = 3;

/// The PINs that hold now.
pub struct CurrentPins {
    /// For signing.
    pub user: Pin,
    /// For changing anything.
    pub admin: Pin,
}

/// Asks for the PINs that the card has now. The ones every new card comes with are used only on the person's
/// word: on any other card they would cost a try of each.
///
/// # Errors
/// Cancelled, or never a possible PIN.
pub fn ask_current(person: &mut Person, card: CardIdent, name: &str) -> Result<CurrentPins, Trouble> {
    let question = format!(
        "Is {name} ({card}) new, with the PINs it came with (123456 and 12345678)? Type yes, or press Enter to type its PINs: "
    );
    let word = person.ask_shown(&question)?;
    if word.trim().eq_ignore_ascii_case("yes") {
        return Ok(CurrentPins { user: Pin::factory_user(), admin: Pin::factory_admin() });
    }
    let user = ask_pin(person, &format!("Current PIN of {name}: "), Pin::new)?;
    let admin = ask_pin(person, &format!("Current admin PIN of {name}: "), Pin::admin)?;
    Ok(CurrentPins { user, admin })
}

/// Asks for a new PIN, twice.
///
/// # Errors
/// Cancelled, or never twice the same.
pub fn ask_new_user(person: &mut Person) -> Result<Pin, Trouble> {
    ask_twice(person, "New PIN (6 to 127 characters): ", "New PIN again: ", Pin::new)
}

/// Asks for a new admin PIN, twice.
///
/// # Errors
/// Cancelled, or never twice the same.
pub fn ask_new_admin(person: &mut Person) -> Result<Pin, Trouble> {
    ask_twice(person, "New admin PIN (8 to 127 characters): ", "New admin PIN again: ", Pin::admin)
}

/// Asks for a PIN until it is one that a card could have.
///
/// # Errors
/// Cancelled, or never a possible PIN.
pub fn ask_pin<E: std::fmt::Display>(
    person: &mut Person,
    question: &str,
    pin: fn(SecretString) -> Result<Pin, E>,
) -> Result<Pin, Trouble> {
    for _ in 0..AGAIN {
        match pin(secret(&person.ask_hidden(question)?)?) {
            Ok(pin) => return Ok(pin),
            Err(error) => person.note(NoteKind::Error, &crate::trouble::sentence(&error.to_string())),
        }
    }
    Err(given_up())
}

fn ask_twice<E: std::fmt::Display>(
    person: &mut Person,
    question: &str,
    again: &str,
    pin: fn(SecretString) -> Result<Pin, E>,
) -> Result<Pin, Trouble> {
    for _ in 0..AGAIN {
        let new = ask_pin(person, question, pin)?;
        let repeated = person.ask_hidden(again)?;
        if subtle::ConstantTimeEq::ct_eq(new.expose().as_bytes(), repeated.as_slice()).into() {
            return Ok(new);
        }
        person.note(NoteKind::Error, "These two differ; nothing was changed.");
    }
    Err(given_up())
}

/// What was typed, as text.
///
/// # Errors
/// Not UTF-8: no card's PIN, and nobody's typing.
pub fn secret(typed: &Zeroizing<Vec<u8>>) -> Result<SecretString, Gone> {
    std::str::from_utf8(typed).map(|text| SecretString::from(text.to_owned())).map_err(|_| Gone::Cancelled)
}

fn given_up() -> Trouble {
    Trouble::new(ProblemKind::Usage, "Given up after three tries; nothing was changed. Try again.")
}
