//! Which card a command is about: the one that is in, or the one that was named, or the one the person names.

use std::time::Instant;

use countersign_protocol::ids::CardIdent;
use countersign_protocol::ipc::{NoteKind, ProblemKind};
use countersign_protocol::limits;

use crate::agent::Agent;
use crate::card::{CardError, CardSeen};
use crate::person::Person;
use crate::trouble::Trouble;

/// Chooses. `insert` is shown when there is none. Never this host's own card: that is nobody's.
///
/// # Errors
/// No card in time, cancelled, or this host's own card was named.
pub fn choose(
    agent: &Agent,
    named: Option<CardIdent>,
    insert: &str,
    person: &mut Person,
) -> Result<CardSeen, Trouble> {
    let host = host_card(agent);
    if named.is_some() && named == host {
        return Err(Trouble::new(
            ProblemKind::NotPermitted,
            "That is this host's own card: its PINs are the agent's, and its key is this host's name. Take another card. This one gets a new key with countersign host rotate-key; lost or broken, it is replaced with countersign host replace",
        ));
    }
    choose_among(agent, &|seen| named.is_none() || named == seen.ident, insert, person)
}

/// Chooses among the cards that are wanted, and never this host's own.
///
/// # Errors
/// No card in time, or cancelled.
pub fn choose_among(
    agent: &Agent,
    is_wanted: &dyn Fn(&CardSeen) -> bool,
    insert: &str,
    person: &mut Person,
) -> Result<CardSeen, Trouble> {
    let host = host_card(agent);
    let wanted = |seen: &CardSeen| seen.ident.is_some() && seen.ident != host && is_wanted(seen);
    let offered =
        || -> Vec<CardSeen> { agent.cards.list().into_iter().filter(|seen| wanted(seen)).collect() };
    let mut cards = offered();
    if cards.is_empty() {
        agent.cards.read_held(person);
        cards = offered();
    }
    if cards.is_empty() {
        person.note(NoteKind::Info, insert);
        let deadline = person.deadline().min(Instant::now() + limits::CARD_WAIT);
        agent.cards.wait_for(&wanted, deadline, &|| person.is_gone())?;
        cards = offered();
    }
    if cards.len() > 1 {
        let list: Vec<String> = cards
            .iter()
            .enumerate()
            .filter_map(|(at, seen)| Some(format!("{} = {} ({})", at + 1, seen.name(), seen.ident?)))
            .collect();
        let typed = person.ask_shown(&format!("Which card? {} (number): ", list.join(", ")))?;
        let at = typed.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        return at.and_then(|at| cards.get(at).cloned()).ok_or_else(|| {
            Trouble::new(ProblemKind::Usage, "That is not one of them. Nothing was done; try again.")
        });
    }
    Ok(cards.pop().ok_or(CardError::NoCard)?)
}

fn host_card(agent: &Agent) -> Option<CardIdent> {
    agent.link().and_then(|link| link.primary().card())
}
