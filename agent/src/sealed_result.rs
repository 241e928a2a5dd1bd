//! What the server sealed to somebody's card, opened with that card: by the PIN that was typed for the job, or by one that is
//! typed for this.

use countersign_protocol::envelope::{SealedTo, sealed_to};
use countersign_protocol::ids::CardIdent;
use countersign_protocol::ipc::{DenyReason, ProblemKind};
use zeroize::Zeroizing;

use crate::agent::Agent;
use crate::card::{Asker, CardError, CardSeen, Entered, KeptPin, OpenError, PinKind};
use crate::card_choice::choose_among;
use crate::card_pins::ask_held;
use crate::person::{Gone, Person};
use crate::trouble::{self, Trouble, sentence};

/// Opens it. A PIN that was kept of the job's signature is used, if it is the same card that opens the result; otherwise the
/// card is asked for, if it is not in, and its PIN. Whatever was kept is gone afterwards.
///
/// # Errors
/// It is not what a server seals, the card is not there or did not do its part, or the person gave up.
pub fn open(
    agent: &Agent,
    asker: &Asker,
    sealed: &[u8],
    kept: &KeptPin,
    person: &mut Person,
) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let to = sealed_to(sealed).map_err(OpenError::from)?;
    let (card, seen) = choose(agent, &to, kept, person)?;
    let entered = match kept.take(card) {
        Some(entered) => entered,
        None => ask(agent, asker, card, &seen, person)?,
    };
    // A try is not spent on nobody's behalf.
    if person.is_gone() {
        return Err(Gone::Cancelled.into());
    }
    let mut turn = agent.cards.turn(card, asker, person)?;
    if seen.decryption_touch {
        turn.note(&format!("Touch {} to open the result.", seen.name()));
    }
    turn.cards().open_sealed(card, sealed, entered).map_err(|error| failed(agent, card, error))
}

/// The card that signed, if it holds the key, or any other that does.
fn choose(
    agent: &Agent,
    to: &SealedTo,
    kept: &KeptPin,
    person: &mut Person,
) -> Result<(CardIdent, CardSeen), Trouble> {
    let opens = |seen: &CardSeen| seen.decryption_key.as_ref().is_some_and(|key| to.is(key));
    let signed = kept.card().and_then(|card| Some((card, agent.cards.seen(card).ok()?)));
    if let Some(signed) = signed.filter(|(_, seen)| opens(seen)) {
        return Ok(signed);
    }
    let insert = format!(
        "The result is sealed to the key {to}, which no card that is in holds. Insert the card that does."
    );
    let seen = choose_among(agent, &opens, &insert, person).map_err(|trouble| match trouble.reason {
        Some(DenyReason::NoCard) => Trouble::new(
            ProblemKind::Card,
            format!(
                "No card with the key {to} was put in, and the result is sealed to that key. Insert it and ask for the result again; if there is none any more, do the whole once more."
            ),
        )
        .denied_for(DenyReason::NoCard),
        _ => trouble,
    })?;
    let card = seen.ident.ok_or(CardError::NoCard)?;
    Ok((card, seen))
}

fn ask(
    agent: &Agent,
    asker: &Asker,
    card: CardIdent,
    seen: &CardSeen,
    person: &mut Person,
) -> Result<Entered, Trouble> {
    let pins = agent.cards.turn(card, asker, person)?.cards().pins(card)?;
    ask_held(person, PinKind::User, &seen.name(), pins)
}

/// In the ledger too, if it is one that is told there wherever it happens.
fn failed(agent: &Agent, card: CardIdent, error: OpenError) -> Trouble {
    if let OpenError::Card(cause) = &error
        && let Some(event) = trouble::event(cause)
    {
        agent.report_card_of(event, card, None, &sentence(&cause.to_string()));
    }
    error.into()
}
