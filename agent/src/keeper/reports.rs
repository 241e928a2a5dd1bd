//! Reports that wait for the server: the oldest first, and one that it will not have holds up no other.

use std::time::Instant;

use countersign_protocol::ids::Digest;
use countersign_protocol::limits;
use countersign_protocol::message::{
    HostEvent, HostEventReply, InstanceState, OfflineUse, OfflineUseReply, OfflineVerdict,
};

use super::session_and_check_in;
use crate::agent::Agent;
use crate::journal::{Journal, JournalError, Report, Unsent};
use crate::reach::Patience;
use crate::server_link::{Exchange, Link, Means};
use crate::server_time::Answers;
use crate::wire::LinkError;

/// Sends the oldest report of the outbox; says whether there may be another to send.
pub(super) fn send_oldest(agent: &Agent) -> Result<bool, LinkError> {
    let Some(link) = agent.link().filter(|link| link.session().is_some()) else { return Ok(false) };
    let is_active = || agent.contacts.get().is_some_and(|contact| contact.state == InstanceState::Active);
    // The server hears none from a host that may not work; the next check-in tells when it may.
    if !is_active() {
        return Ok(false);
    }
    let means = || agent.means(Patience::until(Instant::now() + limits::SERVER_ANSWER));
    let carry = |unsent: &Unsent| send(agent, &link, means(), unsent);
    let may_report = || {
        session_and_check_in(agent, &link, means())?;
        Ok(is_active())
    };
    let sent = deliver(&agent.journal, &carry, &may_report)?;
    let (event, report, why) = match &sent {
        Delivered::Nothing => return Ok(false),
        Delivered::Handled => return Ok(true),
        Delivered::Parked(report @ Report::Event(_)) => ("event-refused", report, None),
        Delivered::Parked(report @ Report::OfflineUse(_)) => ("offline-use-refused", report, None),
        Delivered::Disputed(report, why) => ("offline-use-disputed", report, Some(why.as_str())),
    };
    let refused = agent.journal.refused().unwrap_or_default().to_string();
    let disputed = agent.journal.disputed_count().unwrap_or_default().to_string();
    let fields = [
        ("correlation", report.correlation().as_str()),
        ("told", &report.told()),
        ("why", why.unwrap_or("the server refuses the report")),
        ("refused", &refused),
        ("disputed", &disputed),
    ];
    agent.log.warn(event, &fields);
    Ok(true)
}

/// What became of the oldest report.
#[derive(Debug, PartialEq)]
enum Delivered {
    /// There is none.
    Nothing,
    /// Sent, or to be sent anew.
    Handled,
    /// The server will not have it.
    Parked(Report),
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
    carry: &dyn Fn(&Unsent) -> Result<Taken, LinkError>,
    may_report: &dyn Fn() -> Result<bool, LinkError>,
) -> Result<Delivered, LinkError> {
    let failed = |error: JournalError| LinkError::Internal(error.to_string());
    let Some(unsent) = journal.oldest_unsent().map_err(failed)? else { return Ok(Delivered::Nothing) };
    let first = carry(&unsent);
    let Err(LinkError::Refused { clock_was_wrong, .. }) = &first else {
        return taken(journal, unsent, first?).map_err(failed);
    };
    journal.remember_sealed(unsent.id, None).map_err(failed)?;
    if unsent.sealed.is_some() {
        // Too old, or sealed with keys that ended: it is made anew.
        return Ok(Delivered::Handled);
    }
    // The clock, or keys that the server does not know, or this host may not report now: not the report's fault.
    if clock_was_wrong.is_some() || !may_report()? {
        first?;
    }
    match carry(&unsent) {
        Err(LinkError::Refused { clock_was_wrong: None, .. }) => {
            journal.park(unsent.id).map_err(failed)?;
            Ok(Delivered::Parked(unsent.report))
        }
        Err(error) => {
            if matches!(error, LinkError::Refused { .. }) {
                journal.remember_sealed(unsent.id, None).map_err(failed)?;
            }
            Err(error)
        }
        Ok(how) => taken(journal, unsent, how).map_err(failed),
    }
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
        Report::OfflineUse(offline) => {
            let reply: OfflineUseReply = reply.body()?;
            // It may have been told before, in an envelope whose answer was lost: the entry is of that one then.
            let proven = link.prove(&reply.receipt)?;
            let entry = proven.entry();
            let statement = Digest::of(&offline.statement.statement.0);
            let is_it = entry.statement == Some(statement)
                && entry.instance.as_ref() == Some(&link.instance.fingerprint);
            if !is_it {
                return Err(LinkError::Untrusted("the ledger entry is about another login".to_owned()));
            }
            Ok(match reply.verdict {
                OfflineVerdict::Accepted => Taken::Recorded,
                OfflineVerdict::Disputed => Taken::Disputed(reply.reason),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let first = deliver(&journal, &carry, &|| Ok(true)).unwrap();
        assert!(matches!(first, Delivered::Parked(report) if report.told() == "bad"));
        assert_eq!(deliver(&journal, &carry, &|| Ok(true)), Ok(Delivered::Handled));
        assert_eq!(deliver(&journal, &carry, &|| Ok(true)), Ok(Delivered::Nothing));
        assert_eq!((journal.unsent().unwrap(), journal.refused().unwrap()), (0, 1));
        assert_eq!(journal.verify().unwrap(), 2, "the chain keeps it");
    }

    #[test]
    fn no_event_is_parked_for_a_wrong_clock_or_unknown_keys_or_a_suspended_host() {
        let (_folder, journal) = outbox(&["good"]);
        assert!(deliver(&journal, &|_| refused(Some(600)), &|| Ok(true)).is_err());
        assert!(deliver(&journal, &|_| refused(None), &|| Ok(false)).is_err());
        let unreachable = || Err(LinkError::Unreachable("gone".to_owned()));
        assert!(deliver(&journal, &|_| refused(None), &unreachable).is_err());
        assert_eq!((journal.unsent().unwrap(), journal.refused().unwrap()), (1, 0));
        // The check-in made keys that the server knows.
        let known = std::cell::Cell::new(false);
        let carry = |_: &Unsent| if known.get() { Ok(Taken::Recorded) } else { refused(None) };
        let renew = || {
            known.set(true);
            Ok(true)
        };
        assert_eq!(deliver(&journal, &carry, &renew), Ok(Delivered::Handled));
        assert_eq!((journal.unsent().unwrap(), journal.refused().unwrap()), (0, 0));
    }
}
