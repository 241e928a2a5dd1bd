//! How things stand, for people.

use std::time::Instant;

use countersign_protocol::ids::{AccountName, CardIdent};
use countersign_protocol::ipc::{
    CardReport, CardsReport, JournalReport, ReportCounts, RosterLogin, RosterReport, RosterUse, ServerReport,
    StatusReport, TurnReport, UnsettledReport,
};
use countersign_protocol::key_words::key_words;
use countersign_protocol::roster::{OfflineServices, RosterAccount, RosterEntry};

use crate::agent::Agent;
use crate::card::CardSeen;
use crate::check_in::Contact;
use crate::history::{self, Viewer};
use crate::journal::SentJob;
use crate::peer::Peer;
use crate::rosters::Held;
use crate::server_link::Link;

/// Decisions shown.
const DECISIONS: u32 = 8;

/// Login names of the roster shown: all of a report fits one frame.
const LOGINS: usize = 100;

/// Open requests shown.
const REQUESTS: usize = 20;

/// The whole report. Cards only for those who may see them.
#[must_use]
pub fn status(agent: &Agent, with_cards: bool, peer: &Peer) -> StatusReport {
    let (link, contact) = (agent.link(), agent.contacts.get());
    let viewer = Viewer::of(peer);
    let state = match (&link, &contact) {
        (None, _) => "not-enrolled",
        (Some(_), None) => "pending",
        (Some(_), Some(contact)) => contact.state.as_str(),
    };
    StatusReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: agent.wire.time.now(),
        instance: link.as_ref().map(|link| link.instance.fingerprint.clone()),
        key_words: link.as_ref().map(|link| key_words(&link.instance.fingerprint)),
        state: state.to_owned(),
        refused: contact.as_ref().is_some_and(|contact| contact.refused),
        key_store: link.as_ref().map(|link| link.primary().in_words()),
        session_keys_until: link.as_ref().and_then(|link| link.session()).map(|session| session.until()),
        key_trouble: link.as_ref().and_then(|link| key_trouble(link)),
        forked: contact.as_ref().is_some_and(|contact| contact.forked),
        version_retired: contact.as_ref().is_some_and(|contact| contact.version_retired),
        weaknesses: agent.weaknesses.clone(),
        server: link.as_ref().map(|link| server(agent, link, contact.as_deref())),
        roster: agent.contacts.rosters.get().map(|held| roster(agent, &held, &viewer)),
        cards: with_cards.then(|| readers(agent, peer.uid)),
        decisions: history::decisions(agent, &viewer, DECISIONS),
        reports: reports(agent),
        unsettled: unsettled(agent, &viewer),
        journal: journal(agent),
    }
}

/// A key that cannot be used is told before it is missed.
fn key_trouble(link: &Link) -> Option<String> {
    let until = link.session().map(|session| session.until());
    let trouble = link.trouble().map(|trouble| trouble.in_words(until));
    trouble.or_else(|| link.primary().unusable().map(str::to_owned))
}

fn server(agent: &Agent, link: &Link, contact: Option<&Contact>) -> ServerReport {
    let health = agent.wire.reach.health();
    ServerReport {
        url: link.server.url.clone(),
        fingerprint: link.server.fingerprint.clone(),
        last_answer: health.last_answer,
        clock_offset: agent.wire.time.offset(),
        problem: health.problem,
        alarm: contact.and_then(|contact| contact.alarm.clone()),
    }
}

fn roster(agent: &Agent, held: &Held, viewer: &Viewer) -> RosterReport {
    let (roster, digest) = (held.verified.roster(), held.verified.digest());
    let left = |account: &RosterAccount| match account.offline {
        OfflineServices::None => 0,
        OfflineServices::All | OfflineServices::These(_) => {
            agent.journal.uses_left(digest, &account.account, roster.offline_uses)
        }
    };
    let account = |one: &RosterAccount| RosterUse { account: one.account.clone(), offline_left: left(one) };
    let login = |entry: &RosterEntry| RosterLogin {
        login: entry.login.clone(),
        accounts: match viewer {
            // An account with two cards is there twice, and its uses are for both.
            Viewer::All => {
                let mut uses: Vec<RosterUse> = entry.accounts.iter().map(account).collect();
                uses.dedup_by(|one, other| one.account == other.account);
                uses
            }
            Viewer::Own { .. } => Vec::new(),
        },
    };
    RosterReport {
        from: roster.issued,
        until: roster.expires,
        count: u64::try_from(roster.entries.len()).unwrap_or(u64::MAX),
        left_out: u64::try_from(agent.contacts.left_out()).ok().filter(|logins| *logins > 0),
        logins: roster.entries.iter().take(LOGINS).map(login).collect(),
    }
}

fn readers(agent: &Agent, uid: u32) -> CardsReport {
    let host = agent.link().and_then(|link| link.primary().card());
    let now = Instant::now();
    let turns = agent.cards.turns().into_iter().filter(|turn| uid == 0 || Some(turn.card) != host);
    CardsReport {
        cards: cards(agent, uid),
        service_problem: agent.cards.service_problem().map(|problem| problem.to_string()),
        turns: turns
            .map(|turn| TurnReport {
                card: turn.card,
                holder: turn.holder,
                seconds: now.saturating_duration_since(turn.since).as_secs(),
                waiting: u64::try_from(turn.waiting).unwrap_or(u64::MAX),
            })
            .collect(),
    }
}

fn reports(agent: &Agent) -> ReportCounts {
    ReportCounts {
        unsent: agent.journal.unsent().unwrap_or(0),
        refused: agent.journal.refused().unwrap_or(0),
        disputed: agent.journal.disputed_count().unwrap_or(0),
    }
}

/// Requests that nobody acts upon, and whose outcome nobody knows.
fn unsettled(agent: &Agent, viewer: &Viewer) -> Vec<UnsettledReport> {
    let rows = agent.journal.unsettled().unwrap_or_default();
    let is_open = |job: &SentJob| !agent.flights.has(&job.statement);
    let is_shown =
        |job: &SentJob| viewer.may_see(job.login.as_ref().map(|login| login.as_str()), Some(job.uid));
    rows.into_iter()
        .map(|row| row.job)
        .filter(|job| is_open(job) && is_shown(job))
        .take(REQUESTS)
        .map(|job| UnsettledReport {
            what: match (&job.login, &job.service) {
                (Some(login), Some(service)) => format!("log in as {login} through {service}"),
                _ => format!("{} {}", job.operation, job.resource),
            },
            untold: agent.untold.has(&job.id),
            correlation: job.correlation,
            account: job.account,
            sent: job.time,
        })
        .collect()
}

fn journal(agent: &Agent) -> JournalReport {
    let journal = &agent.journal;
    let broken = journal.is_broken();
    let problem = if broken { Some("the journal was changed or damaged") } else { journal.trouble() };
    JournalReport { in_memory: journal.is_in_memory(), broken, problem: problem.map(str::to_owned) }
}

/// The role of the card with this instance's key.
pub const HOST: &str = "host";

/// The role of any other card.
pub const USER: &str = "user";

/// The cards. The host's own is shown to root alone.
#[must_use]
pub fn cards(agent: &Agent, uid: u32) -> Vec<CardReport> {
    let host = agent.link().and_then(|link| link.primary().card());
    let cards = agent.cards.list();
    let shown = cards.iter().filter(|seen| uid == 0 || host.is_none() || seen.ident != host);
    shown
        .map(|seen| CardReport {
            reader: seen.reader.clone(),
            ident: seen.ident,
            tries: seen.tries,
            signing_key: seen.signing_key.clone(),
            role: if host.is_some() && seen.ident == host { HOST } else { USER }.to_owned(),
            accounts: accounts(agent, seen),
            problem: seen.problem_text(),
        })
        .collect()
}

/// Whether this is the card with this instance's key.
#[must_use]
pub fn is_hosts(agent: &Agent, card: CardIdent) -> bool {
    agent.link().and_then(|link| link.primary().card()) == Some(card)
}

/// Accounts known here whose key a card holds.
#[must_use]
pub fn accounts(agent: &Agent, seen: &CardSeen) -> Vec<AccountName> {
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
