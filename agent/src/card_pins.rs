//! Asking a person for the PINs of a card: the tries left in every question, the last one only on their word.

use countersign_protocol::ids::CardIdent;
use countersign_protocol::ipc::{DenyReason, NoteKind, ProblemKind};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::card::{CardError, Entered, Pin, PinKind, PinReport};
use crate::person::{Gone, Person};
use crate::trouble::{Trouble, sentence};

/// How often something mistyped may be typed again before it is given up.
const AGAIN: usize = 3;

/// The PINs that hold now.
pub struct CurrentPins {
    /// For signing.
    pub user: Entered,
    /// For changing anything.
    pub admin: Entered,
}

/// Asks for the PINs that the card has now. The ones every new card comes with are used only on the person's
/// word: on any other card they would cost a try of each.
///
/// # Errors
/// Cancelled, blocked, or never a possible PIN.
pub fn ask_current(
    person: &mut Person,
    card: CardIdent,
    name: &str,
    pins: PinReport,
) -> Result<CurrentPins, Trouble> {
    let question = format!(
        "Is {name} ({card}) new, with the PINs it came with (123456 and 12345678)? Type yes, or press Enter to type its PINs: "
    );
    if is_yes(&person.ask_shown(&question)?) {
        return Ok(CurrentPins {
            user: Entered::typed(Pin::factory_user(), pins.tries(PinKind::User), false),
            admin: Entered::typed(Pin::factory_admin(), pins.tries(PinKind::Admin), false),
        });
    }
    let user = ask_held(person, PinKind::User, name, pins)?;
    let admin = ask_held(person, PinKind::Admin, name, pins)?;
    Ok(CurrentPins { user, admin })
}

/// Asks for the one of a card's secrets that it has now.
///
/// # Errors
/// Cancelled, blocked, the last try not to be used, or never a possible PIN.
pub fn ask_held(person: &mut Person, kind: PinKind, name: &str, pins: PinReport) -> Result<Entered, Trouble> {
    let tries = pins.tries(kind);
    match tries {
        0 => return Err(CardError::blocked(kind).into()),
        1 => confirm_last_try(person, kind, name)?,
        _ => {}
    }
    let left = if tries == 1 { "1 try left".to_owned() } else { format!("{tries} tries left") };
    let question = format!("{} for {name} ({left}): ", begun(kind));
    let pin = ask_pin(person, &question, |text| Pin::of(kind, text))?;
    Ok(Entered::typed(pin, tries, tries == 1))
}

fn confirm_last_try(person: &mut Person, kind: PinKind, name: &str) -> Result<(), Trouble> {
    let costs = match kind {
        PinKind::User => "blocks the card",
        PinKind::ResetCode => "leaves the admin PIN as the only way to unblock the card",
        PinKind::Admin => "leaves only erasing the card, with its keys, should it ever be blocked",
    };
    let question =
        format!("Only one try is left for the {kind} of {name}: a wrong one {costs}. Type yes to use it: ");
    if is_yes(&person.ask_shown(&question)?) {
        return Ok(());
    }
    Err(Trouble::new(
        ProblemKind::Card,
        format!("The last try for the {kind} was not used; nothing was changed."),
    )
    .denied_for(DenyReason::LastTryRefused))
}

const fn begun(kind: PinKind) -> &'static str {
    match kind {
        PinKind::User => "PIN",
        PinKind::Admin => "Admin PIN",
        PinKind::ResetCode => "Resetting code",
    }
}

/// Asks for a new one, twice.
///
/// # Errors
/// Cancelled, or never twice the same.
pub fn ask_new(person: &mut Person, kind: PinKind, pins: PinReport) -> Result<Pin, Trouble> {
    let (shortest, longest) = (kind.shortest(), pins.longest(kind));
    let question = format!("New {kind} ({shortest} to {longest} characters): ");
    let again = format!("New {kind} again: ");
    for _ in 0..AGAIN {
        let new = ask_pin(person, &question, |text| {
            let pin = Pin::of(kind, text).map_err(|error| error.to_string())?;
            match pin.expose().len() {
                length if length > longest => Err(format!("this card takes at most {longest} bytes")),
                _ if pin.is_factory() => {
                    Err("that is what every new card comes with, so it is the first one tried".to_owned())
                }
                _ => Ok(pin),
            }
        })?;
        let repeated = person.ask_hidden(&again)?;
        if subtle::ConstantTimeEq::ct_eq(new.expose().as_bytes(), repeated.as_slice()).into() {
            return Ok(new);
        }
        person.note(NoteKind::Error, "These two differ; nothing was changed.");
    }
    Err(given_up())
}

/// Asks for a PIN until it is one that a card could have.
///
/// # Errors
/// Cancelled, or never a possible PIN.
pub fn ask_pin<E: std::fmt::Display>(
    person: &mut Person,
    question: &str,
    pin: impl Fn(SecretString) -> Result<Pin, E>,
) -> Result<Pin, Trouble> {
    for _ in 0..AGAIN {
        match pin(secret(&person.ask_hidden(question)?)?) {
            Ok(pin) => return Ok(pin),
            Err(error) => person.note(NoteKind::Error, &sentence(&error.to_string())),
        }
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

/// Whether the person typed that they mean it.
#[must_use]
pub fn is_yes(typed: &str) -> bool {
    typed.trim().eq_ignore_ascii_case("yes")
}

fn given_up() -> Trouble {
    Trouble::new(ProblemKind::Usage, "Given up after three tries; nothing was changed. Try again.")
}
