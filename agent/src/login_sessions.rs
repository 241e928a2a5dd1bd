//! Sessions: when each began and ended, in the journal and in the server's ledger.
//!
//! The login was decided before. What is told here is written down and grants nothing: a session that could not be
//! written down goes on.

use std::time::Instant;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{CorrelationId, LoginName, ServiceName};
use countersign_protocol::ipc::{Noted, ProblemKind, SessionClosed, SessionOpened};
use countersign_protocol::message::{HostEvent, HostEventKind};

use crate::agent::{Agent, with_missed};
use crate::consent::Ended;
use crate::flood::{Heed, Source};
use crate::peer::Peer;
use crate::permit::Door;
use crate::seat::HostWorld;
use crate::trouble::Trouble;

/// The one service whose end is told without being root: the first process begins it, and leaves its end to a process of
/// whose it is.
const ENDED_BY_ITS_OWNER: &str = "systemd-user";

/// Sessions of one login that are written down in a minute. `sudo` within its time and `at` cost
/// whoever runs them nothing, but each entry stays in the ledger for ever.
const A_MINUTE: u64 = 30;

/// Answers one [`SessionOpened`].
///
/// # Errors
/// It is not written down: too many, or the journal cannot be written.
pub fn opened(agent: &Agent, peer: &Peer, ask: &SessionOpened) -> Result<Noted, Trouble> {
    let (login, service) = (&ask.login, &ask.service);
    if let Some(correlation) = &ask.correlation {
        match agent.card_sessions.opened(peer, correlation, login, service) {
            Ok(is_watched) if is_watched => agent.cards.wake(),
            Ok(_) => {}
            Err(error) => agent.log.warn("card-sessions-not-kept", &[("why", &error.to_string())]),
        }
    }
    let missed = heed(agent, peer, login)?;
    // The id of a login makes the two one story.
    let correlation = ask.correlation.clone().map_or_else(|| agent.correlation(), Ok)?;
    let told = told_opened(ask);
    let event = event(agent, HostEventKind::SessionOpened, &correlation, login, service, told);
    agent.journal.session_opened(&with_missed(event, missed), login, service, agent.link().is_some())?;
    agent.keeper.look();
    log(agent, "session-opened", &correlation, login, service);
    Ok(Noted { correlation })
}

/// Answers one [`SessionClosed`]. Whoever is not root ends nothing but what root's programs began, and of that only
/// what systemd ends so.
///
/// # Errors
/// It is not written down: it is not the caller's to tell, too many, or the journal cannot be written.
pub fn closed(agent: &Agent, door: Door, peer: &Peer, ask: &SessionClosed) -> Result<Noted, Trouble> {
    let (login, service) = (&ask.login, &ask.service);
    match door {
        Door::Pam => {
            let ended = Ended { login, service, by_covered: agent.config.consent.covers(service) };
            agent.consents.session_closed(&HostWorld, peer, &ended);
            if let Some(correlation) = &ask.correlation
                && let Err(error) = agent.card_sessions.closed(correlation)
            {
                agent.log.warn("card-sessions-not-kept", &[("why", &error.to_string())]);
            }
        }
        Door::User if service.as_str() == ENDED_BY_ITS_OWNER => {}
        Door::User => return Err(not_yours(login)),
    }
    let correlation = ask.correlation.clone().map_or_else(|| agent.correlation(), Ok)?;
    let (now, mut refused) = (agent.wire.time.now(), None);
    let end = |opened: Option<Timestamp>| {
        // An end whose beginning was written down is written down; others may be made up at will.
        let missed = match opened {
            Some(_) => 0,
            None if door == Door::User => {
                refused = Some(not_yours(login));
                return None;
            }
            None => match heed(agent, peer, login) {
                Ok(missed) => missed,
                Err(trouble) => {
                    refused = Some(trouble);
                    return None;
                }
            },
        };
        let told = told_closed(ask, opened, now);
        let event = event(agent, HostEventKind::SessionClosed, &correlation, login, service, told);
        Some(with_missed(event, missed))
    };
    let reported = agent.link().is_some();
    agent.journal.session_closed(ask.correlation.as_ref(), login, service, reported, end)?;
    if let Some(trouble) = refused {
        return Err(trouble);
    }
    agent.keeper.look();
    log(agent, "session-closed", &correlation, login, service);
    Ok(Noted { correlation })
}

/// How many were left out since the last that was written down.
fn heed(agent: &Agent, peer: &Peer, login: &LoginName) -> Result<u64, Trouble> {
    let source = Source { door: Door::Pam, uid: peer.uid, login: Some(login.clone()), what: "session" };
    match agent.floods.heed_up_to(source, A_MINUTE, Instant::now()) {
        Heed::Record { missed } => Ok(missed),
        Heed::LogOnly | Heed::Count => Err(Trouble::new(
            ProblemKind::Busy,
            format!("Too many sessions of {login} in a minute: this one is counted, and not written down."),
        )),
    }
}

fn not_yours(login: &LoginName) -> Trouble {
    Trouble::new(
        ProblemKind::NotPermitted,
        format!("The end of a session of {login} is told by the program that began it, as root."),
    )
}

fn event(
    agent: &Agent,
    event: HostEventKind,
    correlation: &CorrelationId,
    login: &LoginName,
    service: &ServiceName,
    told: String,
) -> HostEvent {
    HostEvent {
        event,
        at: agent.wire.time.now(),
        correlation: correlation.clone(),
        login: Some(login.clone()),
        account: None,
        service: Some(service.clone()),
        card: None,
        told,
    }
}

fn log(agent: &Agent, event: &str, correlation: &CorrelationId, login: &LoginName, service: &ServiceName) {
    let fields =
        [("correlation", correlation.as_str()), ("login", login.as_str()), ("service", service.as_str())];
    agent.log.notice(event, &fields);
}

fn told_opened(ask: &SessionOpened) -> String {
    let SessionOpened { login, service, tty, remote_host, remote_user, .. } = ask;
    let [tty, remote_host, remote_user] =
        [tty, remote_host, remote_user].map(|claim| claim.as_deref().map(plain));
    let tty = tty.map(|tty| format!(", on {tty}")).unwrap_or_default();
    let from = match (remote_user, remote_host) {
        (Some(user), Some(host)) => format!(", from {user} at {host}"),
        (None, Some(host)) => format!(", from {host}"),
        (Some(user), None) => format!(", for {user}"),
        (None, None) => String::new(),
    };
    let how = if ask.correlation.is_some() { "after a login by card" } else { "without a login by card" };
    // Behind what this host knows stands what others claim.
    format!("A session of {login} through {service} began {how}{tty}{from}.")
}

/// What a program claims, as it may stand in somebody's terminal: a host's name may be of its owner's making.
fn plain(claim: &str) -> String {
    claim.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).take(64).collect()
}

fn told_closed(ask: &SessionClosed, opened: Option<Timestamp>, now: Timestamp) -> String {
    let SessionClosed { login, service, .. } = ask;
    match opened {
        Some(opened) => format!(
            "The session of {login} through {service} ended after {}.",
            span(now.seconds_since(opened))
        ),
        None => {
            format!("A session of {login} through {service} ended; this host has no note of its beginning.")
        }
    }
}

/// `12 s`, `5 min`, `3 h 12 min`, `2 d 4 h`.
fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_told_in_one_sentence() {
        let mut ask = SessionOpened {
            login: "ana".parse().unwrap(),
            service: "sshd".parse().unwrap(),
            tty: Some("ssh".to_owned()),
            remote_host: Some("198.51.100.7".to_owned()),
            remote_user: None,
            correlation: Some("7K3M-Q2ZD".parse().unwrap()),
        };
        assert_eq!(
            told_opened(&ask),
            "A session of ana through sshd began after a login by card, on ssh, from 198.51.100.7."
        );
        (ask.tty, ask.remote_host, ask.remote_user) = (None, None, Some("olga".to_owned()));
        ask.correlation = None;
        assert_eq!(
            told_opened(&ask),
            "A session of ana through sshd began without a login by card, for olga."
        );
    }

    #[test]
    fn what_a_program_claims_cannot_write_the_sentence_anew() {
        let ask = SessionOpened {
            login: "ana".parse().unwrap(),
            service: "sshd".parse().unwrap(),
            tty: Some("a\u{202e}b\x1b[2J c".to_owned()),
            remote_host: Some("x".repeat(300)),
            remote_user: Some(", after a login by card. ".repeat(30)),
            correlation: None,
        };
        let told = told_opened(&ask);
        let known =
            "A session of ana through sshd began without a login by card, on a?b?[2J?c, from ,?after?a?";
        assert!(told.starts_with(known) && told.ends_with('.') && told.len() < 300, "{told}");
    }

    #[test]
    fn how_long_a_session_was_is_told_as_people_say_it() {
        let told: Vec<String> = [-5, 0, 59, 60, 3599, 3600, 11_520, 86_399, 86_400, 190_000].map(span).into();
        assert_eq!(
            told,
            [
                "0 s",
                "0 s",
                "59 s",
                "1 min",
                "59 min",
                "1 h 0 min",
                "3 h 12 min",
                "23 h 59 min",
                "1 d 0 h",
                "2 d 4 h"
            ]
        );
    }
}
