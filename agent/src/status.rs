//! How things stand, for people.

use countersign_protocol::ids::{AccountName, LoginName};
use countersign_protocol::ipc::{CardReport, ServerReport, StatusReport};
use countersign_protocol::key_words::key_words;

use crate::agent::Agent;
use crate::card::CardSeen;
use crate::rosters::Held;

/// The whole report. Cards only for those who may see them.
#[must_use]
pub fn status(agent: &Agent, with_cards: bool, uid: u32) -> StatusReport {
    let link = agent.link();
    let contact = agent.contacts.get();
    let held = agent.contacts.rosters.get();
    let health = agent.wire.reach.health();
    let alarm =
        contact.as_ref().and_then(|contact| contact.alarm.clone()).map(|alarm| format!("ALARM: {alarm}"));
    let service = agent.cards.service_problem().map(|problem| problem.to_string());
    let state = match (&link, &contact) {
        (None, _) => "not-enrolled",
        (Some(_), None) => "pending",
        (Some(_), Some(contact)) => contact.state.as_str(),
    };
    let mut cards = if with_cards { cards(agent, uid) } else { Vec::new() };
    if let (true, Some(problem)) = (cards.is_empty() && with_cards, service) {
        cards.push(no_reader(problem));
    }
    StatusReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: link.as_ref().map(|link| link.instance.fingerprint.clone()),
        key_words: link.as_ref().map(|link| key_words(&link.instance.fingerprint)),
        state: state.to_owned(),
        key_store: link.as_ref().map(|link| link.primary.in_words()),
        session_keys_until: link.as_ref().and_then(|link| link.session()).map(|session| session.until()),
        server: link.as_ref().map(|link| ServerReport {
            url: link.server.url.clone(),
            fingerprint: link.server.fingerprint.clone(),
            last_answer: health.last_answer,
            clock_offset: agent.wire.time.offset(),
            problem: alarm.or(health.problem).or_else(|| journal_problem(agent)),
        }),
        roster: held.map(|held| names(&held)).unwrap_or_default(),
        cards,
        unsent_events: agent.journal.unsent().unwrap_or(0),
    }
}

fn names(held: &Held) -> Vec<LoginName> {
    held.verified.roster().entries.iter().map(|entry| entry.login.clone()).collect()
}

/// Decisions that are kept only until the agent ends, or events that the server will not have.
fn journal_problem(agent: &Agent) -> Option<String> {
    if agent.journal.is_in_memory() {
        return agent.journal.trouble().map(str::to_owned);
    }
    let count = agent.journal.refused().ok().filter(|count| *count > 0)?;
    Some(format!(
        "it refused {count} events of this host; they stay in the local journal, and the log names them"
    ))
}

/// The cards. The host's own is shown to root alone.
#[must_use]
pub fn cards(agent: &Agent, uid: u32) -> Vec<CardReport> {
    let host = agent.link().and_then(|link| link.primary.card());
    let cards = agent.cards.list();
    let shown = cards.iter().filter(|seen| uid == 0 || host.is_none() || seen.ident != host);
    shown
        .map(|seen| CardReport {
            reader: seen.reader.clone(),
            ident: seen.ident,
            tries: seen.tries,
            signing_key: seen.signing_key.clone(),
            role: if host.is_some() && seen.ident == host { "host" } else { "user" }.to_owned(),
            accounts: accounts(agent, seen),
            problem: seen.problem_text(),
        })
        .collect()
}

fn accounts(agent: &Agent, seen: &CardSeen) -> Vec<AccountName> {
    let Some(key) = &seen.signing_key else { return Vec::new() };
    let mut accounts: Vec<AccountName> = agent
        .known
        .all()
        .iter()
        .filter(|known| known.key == *key)
        .map(|known| known.account.clone())
        .collect();
    if let Some(held) = agent.contacts.rosters.get() {
        let rostered = held.verified.roster().entries.iter().flat_map(|entry| &entry.accounts);
        accounts.extend(
            rostered.filter(|account| account.keys.contains(key)).map(|account| account.account.clone()),
        );
    }
    accounts.sort();
    accounts.dedup();
    accounts
}

/// A line for when no reader can be asked at all.
fn no_reader(problem: String) -> CardReport {
    CardReport {
        reader: "(no reader)".to_owned(),
        ident: None,
        tries: None,
        signing_key: None,
        role: "user".to_owned(),
        accounts: Vec::new(),
        problem: Some(problem),
    }
}
