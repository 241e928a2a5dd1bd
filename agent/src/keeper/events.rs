//! Events that wait for the server: the oldest first, and one that it will not have holds up no other.

use std::time::Instant;

use countersign_protocol::limits;
use countersign_protocol::message::{HostEvent, HostEventReply, InstanceState};

use super::session_and_check_in;
use crate::agent::Agent;
use crate::journal::{Journal, JournalError, Unsent};
use crate::reach::Patience;
use crate::server_link::{Link, Means};
use crate::server_time::Answers;
use crate::wire::LinkError;

/// Sends the oldest event of the outbox; says whether there may be another to send.
pub(super) fn send_oldest(agent: &Agent) -> Result<bool, LinkError> {
    let Some(link) = agent.link().filter(|link| link.session().is_some()) else { return Ok(false) };
    let is_active = || agent.contacts.get().is_some_and(|contact| contact.state == InstanceState::Active);
    // The server hears none from a host that may not work; the next check-in tells when it may.
    if !is_active() {
        return Ok(false);
    }
    let means = || agent.means(Patience::until(Instant::now() + limits::SERVER_ANSWER));
    let carry = |unsent: &Unsent| send_event(agent, &link, means(), unsent);
    let may_report = || {
        session_and_check_in(agent, &link, means())?;
        Ok(is_active())
    };
    let sent = deliver(&agent.journal, &carry, &may_report)?;
    if let Delivered::Parked(event) = &sent {
        let count = agent.journal.refused().unwrap_or(1).to_string();
        let fields =
            [("correlation", event.correlation.as_str()), ("told", &event.told), ("refused", &count)];
        agent.log.warn("event-refused", &fields);
    }
    Ok(sent != Delivered::Nothing)
}

/// What became of the oldest event.
#[derive(Debug, PartialEq)]
enum Delivered {
    /// There is none.
    Nothing,
    /// Sent, or to be sent anew.
    Handled,
    /// The server will not have it.
    Parked(HostEvent),
}

/// `carry` sends one event; `may_report` checks in and says whether this host may send any.
fn deliver(
    journal: &Journal,
    carry: &dyn Fn(&Unsent) -> Result<(), LinkError>,
    may_report: &dyn Fn() -> Result<bool, LinkError>,
) -> Result<Delivered, LinkError> {
    let failed = |error: JournalError| LinkError::Internal(error.to_string());
    let Some(unsent) = journal.oldest_unsent().map_err(failed)? else { return Ok(Delivered::Nothing) };
    let first = carry(&unsent);
    let Err(LinkError::Refused { clock_was_wrong, .. }) = &first else {
        first?;
        journal.confirm(unsent.id).map_err(failed)?;
        return Ok(Delivered::Handled);
    };
    journal.remember_sealed(unsent.id, None).map_err(failed)?;
    if unsent.sealed.is_some() {
        // Too old, or sealed with keys that ended: it is made anew.
        return Ok(Delivered::Handled);
    }
    // The clock, or keys that the server does not know, or this host may not report now: not the event's fault.
    if clock_was_wrong.is_some() || !may_report()? {
        first?;
    }
    match carry(&unsent) {
        Err(LinkError::Refused { clock_was_wrong: None, .. }) => {
            journal.park(unsent.id).map_err(failed)?;
            Ok(Delivered::Parked(unsent.event))
        }
        Err(error) => {
            if matches!(error, LinkError::Refused { .. }) {
                journal.remember_sealed(unsent.id, None).map_err(failed)?;
            }
            Err(error)
        }
        Ok(()) => {
            journal.confirm(unsent.id).map_err(failed)?;
            Ok(Delivered::Handled)
        }
    }
}

fn send_event(agent: &Agent, link: &Link, means: Means<'_>, unsent: &Unsent) -> Result<(), LinkError> {
    let (sealed, reply) = match &unsent.sealed {
        Some(kept) => (kept.clone(), link.send(means, Answers::Kept, kept)?),
        None => {
            let sealed = link.seal(means, &unsent.event, None)?;
            let kept = agent.journal.remember_sealed(unsent.id, Some(&sealed));
            kept.map_err(|error| LinkError::Internal(error.to_string()))?;
            let reply = link.send(means, Answers::Fresh, &sealed)?;
            (sealed, reply)
        }
    };
    let reply: HostEventReply = reply.body()?;
    Ok(link.prove(&reply.receipt)?.answers(&sealed.id(), None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(told: &[&str]) -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.sqlite")).unwrap();
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

    fn refused(clock_was_wrong: Option<i64>) -> Result<(), LinkError> {
        Err(LinkError::Refused { correlation: "7K3M-Q2ZD".parse().unwrap(), clock_was_wrong })
    }

    #[test]
    fn an_event_the_server_refuses_is_parked_and_the_next_one_is_sent() {
        let (_folder, journal) = outbox(&["bad", "good"]);
        let carry = |unsent: &Unsent| if unsent.event.told == "bad" { refused(None) } else { Ok(()) };
        let first = deliver(&journal, &carry, &|| Ok(true)).unwrap();
        assert!(matches!(first, Delivered::Parked(event) if event.told == "bad"));
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
        let carry = |_: &Unsent| if known.get() { Ok(()) } else { refused(None) };
        let renew = || {
            known.set(true);
            Ok(true)
        };
        assert_eq!(deliver(&journal, &carry, &renew), Ok(Delivered::Handled));
        assert_eq!((journal.unsent().unwrap(), journal.refused().unwrap()), (0, 0));
    }
}
