//! One thread that keeps this host in touch: session keys, check-ins, and events that must reach the ledger.
//!
//! Everything that may take as long as the network does, and must happen one at a time, happens here: no other
//! thread needs to hold a lock across it. A login that needs something fresh asks and waits for its own
//! deadline.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use countersign_protocol::limits;
use countersign_protocol::message::{HostEvent, HostEventReply, InstanceState};

use crate::agent::Agent;
use crate::journal::{Journal, JournalError, Unsent};
use crate::server_link::{Link, Means};
use crate::wire::LinkError;

/// Soonest next try after a failure.
const RETRY: Duration = Duration::from_secs(5);

/// How often the file of managed users is looked at.
const PULSE: Duration = Duration::from_secs(2);

/// Soonest next try to send events.
const EVENTS_RETRY: Duration = Duration::from_secs(15);

/// Calls heard at once.
const CALLS_AT_ONCE: usize = 1024;

/// Hands requests to the keeper.
#[derive(Debug, Clone)]
pub struct Keeper {
    calls: Sender<Call>,
}

/// What somebody wants from the keeper.
#[derive(Debug)]
enum Call {
    /// Check in now, and say how it went.
    Freshen(SyncSender<Result<(), LinkError>>),
    /// There is an event to send, or the host was enrolled.
    Look,
}

/// The keeper's ear, until its thread starts.
#[derive(Debug)]
pub struct Ear(Receiver<Call>);

impl Keeper {
    /// A keeper whose thread does not run yet.
    #[must_use]
    pub fn new() -> (Self, Ear) {
        let (calls, ear) = channel();
        (Self { calls }, Ear(ear))
    }

    /// Checks in, with new session keys if there are none, and waits for it until `deadline`.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn freshen(&self, deadline: Instant) -> Result<(), LinkError> {
        let (answer, result) = sync_channel(1);
        let gone = || LinkError::Internal("the agent's keeper has ended; restart countersignd".to_owned());
        self.calls.send(Call::Freshen(answer)).map_err(|_| gone())?;
        match result.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(LinkError::Unreachable("no answer in time".to_owned())),
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }

    /// Has it look at the outbox.
    pub fn look(&self) {
        let _ = self.calls.send(Call::Look);
    }
}

/// Starts the thread. It ends with the agent.
///
/// # Errors
/// The kernel gives no thread.
pub fn start(ear: Ear, agent: &Arc<Agent>) -> std::io::Result<()> {
    let agent = Arc::downgrade(agent);
    std::thread::Builder::new().name("keeper".to_owned()).spawn(move || keep(&ear.0, &agent)).map(drop)
}

fn keep(calls: &Receiver<Call>, agent: &Weak<Agent>) {
    if let Some(Err(error)) =
        agent.upgrade().map(|agent| agent.journal.verify().map_err(|error| (agent, error)))
    {
        let (agent, error) = error;
        agent.log.warn("journal-damaged", &[("why", &error.to_string())]);
    }
    let mut rounds = Rounds::new();
    loop {
        let mut waiting = Vec::new();
        let called = match calls.recv_timeout(rounds.pause()) {
            Ok(call) => {
                gather(call, calls, &mut waiting);
                true
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let Some(agent) = agent.upgrade() else { return };
        rounds.turn(agent.as_ref(), called, waiting);
    }
}

/// What there is to do. All of it may take as long as the network does.
trait Duties {
    /// How long from one check-in to the next.
    fn check_in_every(&self) -> Duration;
    /// Changes when the host should check in out of turn.
    fn managed_mark(&self) -> Option<(u64, i64, i64)>;
    /// Session keys, if they are due, and a check-in.
    fn check_in(&self) -> Result<(), LinkError>;
    /// Sends the oldest event; says whether more wait.
    fn send_event(&self) -> Result<bool, LinkError>;
}

type Waiting = Vec<SyncSender<Result<(), LinkError>>>;

/// When what is due.
struct Rounds {
    check_in: Instant,
    events: Option<Instant>,
    /// The last attempt failed: new events do not make the next one sooner.
    events_failed: bool,
    managed: Option<(u64, i64, i64)>,
}

impl Rounds {
    fn new() -> Self {
        Self { check_in: Instant::now(), events: None, events_failed: false, managed: None }
    }

    fn pause(&self) -> Duration {
        let now = Instant::now();
        let due = self.events.map_or(self.check_in, |events| self.check_in.min(events));
        due.min(now + PULSE).saturating_duration_since(now)
    }

    /// At most one check-in, which answers everybody who waits for one, and then at most one event: however
    /// many events wait, nobody waits for more than one of them.
    fn turn(&mut self, duties: &dyn Duties, called: bool, waiting: Waiting) {
        // Somebody was added to the file: the roster shall know them before they come.
        let mark = duties.managed_mark();
        let due = Instant::now() >= self.check_in || mark != self.managed;
        self.managed = mark;
        if due || !waiting.is_empty() {
            let result = guarded(|| duties.check_in());
            let pause = if result.is_ok() { duties.check_in_every() } else { RETRY };
            self.check_in = Instant::now() + pause;
            if result.is_ok() {
                self.events_failed = false;
                self.events = Some(Instant::now());
            }
            for answer in waiting {
                let _ = answer.try_send(result.clone());
            }
        }
        let asked = called && !self.events_failed;
        if asked || self.events.is_some_and(|events| Instant::now() >= events) {
            let result = guarded(|| duties.send_event());
            self.events_failed = result.is_err();
            self.events = match result {
                Ok(more) => more.then(Instant::now),
                Err(_) => Some(Instant::now() + EVENTS_RETRY),
            };
        }
    }
}

impl Duties for Agent {
    fn check_in_every(&self) -> Duration {
        Duration::from_secs(self.config.check_in_seconds)
    }

    fn managed_mark(&self) -> Option<(u64, i64, i64)> {
        self.link().and_then(|_| self.contacts.managed_mark())
    }

    fn check_in(&self) -> Result<(), LinkError> {
        check_in(self)
    }

    fn send_event(&self) -> Result<bool, LinkError> {
        send_oldest(self).inspect_err(|error| self.log.warn("events-unsent", &[("why", &error.to_string())]))
    }
}

/// A bug in here must not end the only keeper.
fn guarded<T>(work: impl Fn() -> Result<T, LinkError>) -> Result<T, LinkError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(LinkError::Internal("internal error".to_owned())))
}

/// One check-in answers everybody who asked for one by now.
fn gather(first: Call, calls: &Receiver<Call>, waiting: &mut Waiting) {
    // Bounded: whoever calls faster than this reads must not hold the thread.
    for call in std::iter::once(first).chain(calls.try_iter().take(CALLS_AT_ONCE)) {
        if let Call::Freshen(answer) = call {
            waiting.push(answer);
        }
    }
}

fn check_in(agent: &Agent) -> Result<(), LinkError> {
    let Some(link) = agent.link() else { return Err(LinkError::NotEnrolled) };
    let means = agent.means(Instant::now() + limits::SERVER_ANSWER);
    let result = session_and_check_in(agent, &link, means);
    if let Err(error) = &result {
        agent.log.warn("check-in-failed", &[("why", &error.to_string())]);
    }
    result
}

fn session_and_check_in(agent: &Agent, link: &Link, means: Means<'_>) -> Result<(), LinkError> {
    let now = agent.wire.time.now();
    if link.session().is_none_or(|session| session.must_be_renewed(now)) {
        link.renew_session(means, &agent.cards)?;
        agent.log.notice("session-keys-renewed", &[]);
    }
    match agent.contacts.check_in(link, means) {
        Err(LinkError::Refused { clock_was_wrong: Some(_), .. }) => agent.contacts.check_in(link, means),
        // The server may know other session keys, from a copy of this host or a restored backup.
        Err(LinkError::Refused { .. }) => {
            link.renew_session(means, &agent.cards)?;
            agent.contacts.check_in(link, means)
        }
        other => other,
    }
}

/// Sends the oldest event of the outbox; says whether there may be another to send.
fn send_oldest(agent: &Agent) -> Result<bool, LinkError> {
    let Some(link) = agent.link().filter(|link| link.session().is_some()) else { return Ok(false) };
    let means = || agent.means(Instant::now() + limits::SERVER_ANSWER);
    let carry = |unsent: &Unsent| send_event(agent, &link, means(), unsent);
    let may_report = || {
        session_and_check_in(agent, &link, means())?;
        Ok(agent.contacts.get().is_some_and(|contact| contact.state == InstanceState::Active))
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
        Some(kept) => (kept.clone(), link.send_kept(means, kept)?),
        None => {
            let sealed = link.seal(means, &unsent.event, None)?;
            let kept = agent.journal.remember_sealed(unsent.id, Some(&sealed));
            kept.map_err(|error| LinkError::Internal(error.to_string()))?;
            let reply = link.send(means, &sealed)?;
            (sealed, reply)
        }
    };
    let reply: HostEventReply = reply.body()?;
    Ok(link.prove(&reply.receipt)?.answers(&sealed.id(), None)?)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// An outbox that never ends, and a network that takes its time.
    #[derive(Default)]
    struct Flooded {
        check_ins: AtomicU32,
        events: AtomicU32,
        unreachable: bool,
    }

    impl Duties for Flooded {
        fn check_in_every(&self) -> Duration {
            Duration::from_millis(100)
        }
        fn managed_mark(&self) -> Option<(u64, i64, i64)> {
            None
        }
        fn check_in(&self) -> Result<(), LinkError> {
            self.check_ins.fetch_add(1, Ordering::SeqCst);
            if self.unreachable { Err(LinkError::Unreachable("gone".to_owned())) } else { Ok(()) }
        }
        fn send_event(&self) -> Result<bool, LinkError> {
            self.events.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
            if self.unreachable { Err(LinkError::Unreachable("gone".to_owned())) } else { Ok(true) }
        }
    }

    #[test]
    fn an_endless_outbox_delays_a_login_by_no_more_than_one_event() {
        let (duties, mut rounds) = (Flooded::default(), Rounds::new());
        rounds.turn(&duties, true, Vec::new());
        let (answer, result) = sync_channel(1);
        let events = duties.events.load(Ordering::SeqCst);
        rounds.turn(&duties, true, vec![answer]);
        assert_eq!(result.try_recv().unwrap(), Ok(()));
        assert!(duties.events.load(Ordering::SeqCst) <= events + 1);
    }

    #[test]
    fn an_endless_outbox_keeps_no_check_in_from_its_time() {
        let (duties, mut rounds) = (Flooded::default(), Rounds::new());
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            rounds.turn(&duties, true, Vec::new());
        }
        let (check_ins, events) =
            (duties.check_ins.load(Ordering::SeqCst), duties.events.load(Ordering::SeqCst));
        assert!(check_ins >= 5 && events > 20, "{check_ins} check-ins, {events} events");
        assert!(rounds.pause().is_zero(), "it goes on at once while events wait");
    }

    #[test]
    fn new_events_do_not_hurry_an_unreachable_server() {
        let (duties, mut rounds) = (Flooded { unreachable: true, ..Flooded::default() }, Rounds::new());
        for _ in 0..100 {
            rounds.turn(&duties, true, Vec::new());
        }
        assert_eq!(duties.events.load(Ordering::SeqCst), 1);
    }

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
