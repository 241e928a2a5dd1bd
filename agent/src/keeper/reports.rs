//! Reports that wait for the server: the oldest first, and one that it will not have holds up no other.

use std::time::Instant;

use countersign_protocol::ids::{Digest, Fingerprint};
use countersign_protocol::ledger::Entry;
use countersign_protocol::limits;
use countersign_protocol::message::{
    HostEvent, HostEventReply, InstanceState, OfflineEmergency, OfflineUse, OfflineUseReply, OfflineVerdict,
};
use countersign_protocol::statement::Statement;

use super::check_in;
use crate::agent::Agent;
use crate::journal::{Journal, JournalError, Report, Unsent, Which};
use crate::reach::Patience;
use crate::server_link::{Exchange, Link, Means};
use crate::server_time::Answers;
use crate::wire::LinkError;

/// Sends the oldest report of the outbox that the server hears from this host as it stands; says whether there may be
/// another to send.
pub(super) fn send_oldest(agent: &Agent) -> Result<bool, LinkError> {
    if agent.link().is_none_or(|link| link.session().is_none()) {
        return Ok(false);
    }
    let heard = || agent.contacts.get().and_then(|contact| heard_from(contact.state));
    // The next check-in tells when it hears more.
    let Some(which) = heard() else { return Ok(false) };
    let patience = || Patience::until(Instant::now() + limits::SERVER_ANSWER);
    let carry = |unsent: &Unsent| {
        // The check-in may have given this host another key.
        let link = agent.link().ok_or(LinkError::NotEnrolled)?;
        send(agent, &link, agent.means(patience()), unsent)
    };
    let may_report = || {
        check_in(agent, patience())?;
        Ok(heard() == Some(which))
    };
    let sent = deliver(&agent.journal, which, &carry, &may_report)?;
    let (event, report, why) = match &sent {
        Delivered::Nothing => return Ok(false),
        Delivered::Handled => return Ok(true),
        Delivered::Parked(report @ Report::Event(_), why) => ("event-refused", report, why),
        Delivered::Parked(report, why) => ("offline-use-refused", report, why),
        Delivered::Disputed(report, why) => ("offline-use-disputed", report, why),
    };
    let refused = agent.journal.refused().unwrap_or_default().to_string();
    let disputed = agent.journal.disputed_count().unwrap_or_default().to_string();
    let fields = [
        ("correlation", report.correlation().as_str()),
        ("told", &report.told()),
        ("why", why.as_str()),
        ("refused", &refused),
        ("disputed", &disputed),
    ];
    agent.log.warn(event, &fields);
    Ok(true)
}

/// What the server hears from a host in this state. What it did before it was barred, it may tell.
const fn heard_from(state: InstanceState) -> Option<Which> {
    match state {
        InstanceState::Active => Some(Which::All),
        InstanceState::Suspended => Some(Which::OfflineUses),
        InstanceState::Pending | InstanceState::Revoked => None,
    }
}

/// What became of the oldest report.
#[derive(Debug, PartialEq)]
enum Delivered {
    /// There is none.
    Nothing,
    /// Sent, or to be sent anew.
    Handled,
    /// The server will not have it, or says nothing about it that holds: why.
    Parked(Report, String),
    /// The server has it, and holds it against this host: why.
    Disputed(Report, String),
}

/// What the server makes of a report that it takes.
#[derive(Debug, Clone, PartialEq)]
enum Taken {
    /// It is in the ledger.
    Recorded,
    /// It is there as something that should not have been: why.
    Disputed(String),
}

/// `carry` sends one report; `may_report` checks in and says whether this host may send any.
fn deliver(
    journal: &Journal,
    which: Which,
    carry: &dyn Fn(&Unsent) -> Result<Taken, LinkError>,
    may_report: &dyn Fn() -> Result<bool, LinkError>,
) -> Result<Delivered, LinkError> {
    let failed = |error: JournalError| LinkError::Internal(error.to_string());
    let Some(unsent) = journal.oldest_unsent(which).map_err(failed)? else { return Ok(Delivered::Nothing) };
    let first = carry(&unsent);
    if !matches!(&first, Err(error) if is_final(error)) {
        return taken(journal, unsent, first?).map_err(failed);
    }
    journal.remember_sealed(unsent.id, None).map_err(failed)?;
    if unsent.sealed.is_some() {
        // Too old, or sealed with keys that ended: it is made anew.
        return Ok(Delivered::Handled);
    }
    // The clock, or keys that the server does not know, or this host may not report now: not the report's fault.
    let is_clock = matches!(&first, Err(LinkError::Refused { clock_was_wrong: Some(_), .. }));
    if is_clock || !may_report()? {
        first?;
    }
    match carry(&unsent) {
        Err(error) if is_final(&error) => {
            if matches!(&error, LinkError::Refused { clock_was_wrong: Some(_), .. }) {
                journal.remember_sealed(unsent.id, None).map_err(failed)?;
                return Err(error);
            }
            journal.park(unsent.id).map_err(failed)?;
            Ok(Delivered::Parked(unsent.report, error.to_string()))
        }
        other => taken(journal, unsent, other?).map_err(failed),
    }
}

/// The server signed it: the same bytes would get the same answer.
const fn is_final(error: &LinkError) -> bool {
    matches!(error, LinkError::Refused { .. } | LinkError::Untrusted(_))
}

fn taken(journal: &Journal, unsent: Unsent, how: Taken) -> Result<Delivered, JournalError> {
    match how {
        Taken::Recorded => {
            journal.confirm(unsent.id)?;
            Ok(Delivered::Handled)
        }
        Taken::Disputed(why) => {
            journal.dispute(unsent.id, &why)?;
            Ok(Delivered::Disputed(unsent.report, why))
        }
    }
}

/// Sends one report, in the envelope that it was sent in before if there is one, and proves what comes back.
fn send(agent: &Agent, link: &Link, means: Means<'_>, unsent: &Unsent) -> Result<Taken, LinkError> {
    let Exchange { sealed, reply } = match &unsent.sealed {
        Some(kept) => Exchange { sealed: kept.clone(), reply: link.send(means, Answers::Kept, kept)? },
        None => {
            let sealed = match &unsent.report {
                Report::Event(event) => link.seal::<HostEvent>(means, event, None)?,
                Report::OfflineUse(offline) => link.seal::<OfflineUse>(means, offline, None)?,
                Report::OfflineEmergency(offline) => link.seal::<OfflineEmergency>(means, offline, None)?,
            };
            let kept = agent.journal.remember_sealed(unsent.id, Some(&sealed));
            kept.map_err(|error| LinkError::Internal(error.to_string()))?;
            let reply = link.send(means, Answers::Fresh, &sealed)?;
            Exchange { sealed, reply }
        }
    };
    match &unsent.report {
        Report::Event(_) => {
            let reply: HostEventReply = reply.body()?;
            link.prove(&reply.receipt)?.answers(&sealed.id(), None)?;
            Ok(Taken::Recorded)
        }
        Report::OfflineUse(offline) => of_use(link, reply.body()?, &offline.statement.statement.0),
        Report::OfflineEmergency(offline) => of_use(link, reply.body()?, &offline.statement.0),
    }
}

/// What the server makes of a use with this statement.
fn of_use(link: &Link, reply: OfflineUseReply, statement: &[u8]) -> Result<Taken, LinkError> {
    // It may have been told before, in an envelope whose answer was lost: the entry is of that one then.
    let proven = link.prove(&reply.receipt)?;
    if !is_about(proven.entry(), statement, &link.instance.fingerprint) {
        return Err(LinkError::Untrusted("the ledger entry is about another login".to_owned()));
    }
    Ok(match reply.verdict {
        OfflineVerdict::Accepted => Taken::Recorded,
        OfflineVerdict::Disputed => Taken::Disputed(reply.reason),
    })
}

/// Whether the entry is about this very statement and host, by the name that the host had when it was made: its key
/// may have changed since. A server that does not know that name goes by the one of now.
fn is_about(entry: &Entry, bytes: &[u8], now: &Fingerprint) -> bool {
    let then = Statement::from_bytes(bytes).ok().map(|statement| statement.instance);
    let names = [then.as_ref(), Some(now)];
    entry.statement == Some(Digest::of(bytes))
        && entry.instance.is_some()
        && names.contains(&entry.instance.as_ref())
}

#[cfg(test)]
mod tests {
    use countersign_protocol::ledger::{EntryKind, Outcome};

    use super::*;
    use crate::journal::NewUse;
    use crate::offline::scene::{NOW, fingerprint, scene};

    fn entry() -> Entry {
        Entry {
            v: Default::default(),
            time: NOW,
            kind: EntryKind::OfflineUse,
            correlation: "7K3M-Q2ZD".parse().unwrap(),
            instance: None,
            application: None,
            account: None,
            key: None,
            operation: None,
            resource: None,
            login: None,
            service: None,
            decision: Outcome::Allowed,
            reason: String::new(),
            checks: Vec::new(),
            policy_epoch: 1,
            policies: Vec::new(),
            message: None,
            statement: None,
            evidence: None,
            detail: Default::default(),
        }
    }

    fn outbox(told: &[&str]) -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.sqlite"), None).unwrap();
        for told in told {
            let event = HostEvent {
                event: countersign_protocol::message::HostEventKind::WrongPin,
                at: countersign_protocol::clock::Timestamp::from_seconds(1_790_000_000),
                correlation: "7K3M-Q2ZD".parse().unwrap(),
                login: None,
                account: None,
                service: None,
                card: None,
                told: (*told).to_owned(),
            };
            journal.report(&event).unwrap();
        }
        (folder, journal)
    }

    fn refused(clock_was_wrong: Option<i64>) -> Result<Taken, LinkError> {
        Err(LinkError::Refused { correlation: "7K3M-Q2ZD".parse().unwrap(), clock_was_wrong })
    }

    #[test]
    fn an_event_the_server_refuses_is_parked_and_the_next_one_is_sent() {
        let (_folder, journal) = outbox(&["bad", "good"]);
        let carry =
            |unsent: &Unsent| if unsent.report.told() == "bad" { refused(None) } else { Ok(Taken::Recorded) };
        let first = deliver(&journal, Which::All, &carry, &|| Ok(true)).unwrap();
        assert!(matches!(first, Delivered::Parked(report, _) if report.told() == "bad"));
        assert_eq!(deliver(&journal, Which::All, &carry, &|| Ok(true)), Ok(Delivered::Handled));
        assert_eq!(deliver(&journal, Which::All, &carry, &|| Ok(true)), Ok(Delivered::Nothing));
        assert_eq!((journal.unsent().unwrap(), journal.refused().unwrap()), (0, 1));
        assert_eq!(journal.verify().unwrap(), 2, "the chain keeps it");
    }

    #[test]
    fn no_event_is_parked_for_a_wrong_clock_or_unknown_keys_or_a_suspended_host() {
        let (_folder, journal) = outbox(&["good"]);
        assert!(deliver(&journal, Which::All, &|_| refused(Some(600)), &|| Ok(true)).is_err());
        assert!(deliver(&journal, Which::All, &|_| refused(None), &|| Ok(false)).is_err());
        let unreachable = || Err(LinkError::Unreachable("gone".to_owned()));
        assert!(deliver(&journal, Which::All, &|_| refused(None), &unreachable).is_err());
        assert_eq!((journal.unsent().unwrap(), journal.refused().unwrap()), (1, 0));
        // The check-in made keys that the server knows.
        let known = std::cell::Cell::new(false);
        let carry = |_: &Unsent| if known.get() { Ok(Taken::Recorded) } else { refused(None) };
        let renew = || {
            known.set(true);
            Ok(true)
        };
        assert_eq!(deliver(&journal, Which::All, &carry, &renew), Ok(Delivered::Handled));
        assert_eq!((journal.unsent().unwrap(), journal.refused().unwrap()), (0, 0));
    }

    #[test]
    fn a_report_whose_answer_never_holds_is_sent_anew_and_then_holds_up_no_other() {
        let (_folder, journal) = outbox(&["bad", "good"]);
        let tries = std::cell::Cell::new(0);
        let carry = |unsent: &Unsent| {
            if unsent.report.told() == "good" {
                return Ok(Taken::Recorded);
            }
            tries.set(tries.get() + 1);
            Err(LinkError::Untrusted("the ledger entry is about another login".to_owned()))
        };
        // A ledger that is another one now is not the report's fault.
        let alarmed = || Err(LinkError::Untrusted("rolled back".to_owned()));
        assert!(deliver(&journal, Which::All, &carry, &alarmed).is_err());
        assert_eq!((journal.unsent().unwrap(), tries.get()), (2, 1));
        let first = deliver(&journal, Which::All, &carry, &|| Ok(true)).unwrap();
        assert!(matches!(first, Delivered::Parked(_, why) if why.contains("another login")));
        assert_eq!(tries.get(), 3);
        assert_eq!(deliver(&journal, Which::All, &carry, &|| Ok(true)), Ok(Delivered::Handled));
        assert_eq!((journal.unsent().unwrap(), journal.refused().unwrap()), (0, 1));
    }

    #[test]
    fn an_offline_use_is_told_under_the_name_that_the_host_had_or_has_and_no_other() {
        let offline = scene().offline_use(1).statement.statement.0;
        let (then, now) = (fingerprint(&scene().host), fingerprint(&scene().ana));
        let entry = |statement: Digest, instance: Option<&Fingerprint>| Entry {
            statement: Some(statement),
            instance: instance.cloned(),
            ..entry()
        };
        let statement = scene().statement_digest();
        // The key was changed after the login: the ledger names the host as it was then.
        assert!(is_about(&entry(statement, Some(&then)), &offline, &now));
        assert!(is_about(&entry(statement, Some(&now)), &offline, &now));
        let other = fingerprint(&scene().server);
        for wrong in [
            entry(statement, Some(&other)),
            entry(statement, None),
            entry(Digest::of(b"another"), Some(&then)),
            Entry { statement: None, ..entry(statement, Some(&then)) },
        ] {
            assert!(!is_about(&wrong, &offline, &now), "{wrong:?}");
        }
    }

    #[test]
    fn a_suspended_host_tells_of_its_offline_logins_and_of_nothing_else() {
        let (_folder, journal) = outbox(&["an event"]);
        let (roster, account) = (scene().offline_use(1).roster, "ana".parse().unwrap());
        let new = NewUse {
            roster: Digest::of(&roster.roster.0),
            account: &account,
            statement: scene().statement_digest(),
            most: 3,
            at: NOW,
        };
        let _ = journal.use_offline(new, |_| "a use", |number| scene().offline_use(number)).unwrap();
        let which = heard_from(InstanceState::Suspended).unwrap();
        let carry = |unsent: &Unsent| match &unsent.report {
            Report::OfflineUse(_) => Ok(Taken::Recorded),
            Report::Event(_) => panic!("the server refuses it"),
            Report::OfflineEmergency(_) => panic!("nobody typed a code"),
        };
        assert_eq!(deliver(&journal, which, &carry, &|| Ok(true)), Ok(Delivered::Handled));
        assert_eq!(deliver(&journal, which, &carry, &|| Ok(true)), Ok(Delivered::Nothing));
        assert_eq!(journal.unsent().unwrap(), 1, "the event waits until the host may work again");
        assert_eq!(heard_from(InstanceState::Pending), None);
        assert_eq!(heard_from(InstanceState::Revoked), None);
    }
}
