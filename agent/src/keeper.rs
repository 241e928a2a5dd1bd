//! One thread that keeps this host in touch: session keys, check-ins, and events that must reach the ledger.
//!
//! Everything that may take as long as the network does, and must happen one at a time, happens here: no other
//! thread needs to hold a lock across it. A login that needs something fresh asks and waits for its own
//! deadline.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use countersign_protocol::limits;
use countersign_protocol::message::HostEventReply;

use crate::agent::Agent;
use crate::journal::Unsent;
use crate::server_link::{Link, Means};
use crate::wire::LinkError;

/// Soonest next try after a failure.
const RETRY: Duration = Duration::from_secs(5);

/// How often the file of managed users is looked at.
const PULSE: Duration = Duration::from_secs(2);

/// Soonest next try to send events.
const EVENTS_RETRY: Duration = Duration::from_secs(15);

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
    let mut next = Instant::now();
    let mut events_again: Option<Instant> = None;
    let mut managed = None;
    loop {
        let mut waiting = Vec::new();
        let wake = events_again.map_or(next, |again| next.min(again)).min(Instant::now() + PULSE);
        let called = match calls.recv_timeout(wake.saturating_duration_since(Instant::now())) {
            Ok(call) => {
                gather(call, calls, &mut waiting);
                true
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let Some(agent) = agent.upgrade() else { return };
        // Somebody was added to the file: the roster shall know them before they come.
        let mark = agent.contacts.managed_mark();
        let due = Instant::now() >= next || (mark != managed && agent.link().is_some());
        managed = mark;
        if due || !waiting.is_empty() {
            let result = guarded(&agent, check_in);
            let pause = match &result {
                Ok(()) => Duration::from_secs(agent.config.check_in_seconds),
                Err(_) => RETRY,
            };
            next = Instant::now() + pause;
            for answer in waiting {
                let _ = answer.try_send(result.clone());
            }
        }
        if due || called || events_again.is_some_and(|again| Instant::now() >= again) {
            events_again = guarded(&agent, send_events).err().map(|error| {
                agent.log.warn("events-unsent", &[("why", &error.to_string())]);
                Instant::now() + EVENTS_RETRY
            });
        }
    }
}

/// A bug in here must not end the only keeper.
fn guarded(agent: &Agent, work: fn(&Agent) -> Result<(), LinkError>) -> Result<(), LinkError> {
    let work = std::panic::AssertUnwindSafe(|| work(agent));
    std::panic::catch_unwind(work).unwrap_or_else(|_| Err(LinkError::Internal("internal error".to_owned())))
}

/// One check-in answers everybody who asked for one by now.
fn gather(first: Call, calls: &Receiver<Call>, waiting: &mut Vec<SyncSender<Result<(), LinkError>>>) {
    let mut call = Some(first);
    while let Some(this) = call {
        if let Call::Freshen(answer) = this {
            waiting.push(answer);
        }
        call = calls.try_recv().ok();
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

/// Sends what waits in the outbox, oldest first.
fn send_events(agent: &Agent) -> Result<(), LinkError> {
    let Some(link) = agent.link() else { return Ok(()) };
    if link.session().is_none() {
        return Ok(());
    }
    let journal = |error: crate::journal::JournalError| LinkError::Internal(error.to_string());
    while let Some(unsent) = agent.journal.oldest_unsent().map_err(journal)? {
        let means = agent.means(Instant::now() + limits::SERVER_ANSWER);
        match send_event(agent, &link, means, &unsent) {
            // Too old, or sealed with keys that ended: it is made anew, once.
            Err(LinkError::Refused { .. }) if unsent.sealed.is_some() => {
                agent.journal.remember_sealed(unsent.id, None).map_err(journal)?;
                continue;
            }
            other => other?,
        }
        agent.journal.confirm(unsent.id).map_err(journal)?;
    }
    Ok(())
}

fn send_event(agent: &Agent, link: &Link, means: Means<'_>, unsent: &Unsent) -> Result<(), LinkError> {
    let sealed = match &unsent.sealed {
        Some(sealed) => sealed.clone(),
        None => {
            let sealed = link.seal(means, &unsent.event, None)?;
            let kept = agent.journal.remember_sealed(unsent.id, Some(&sealed));
            kept.map_err(|error| LinkError::Internal(error.to_string()))?;
            sealed
        }
    };
    let reply: HostEventReply = link.send(means, &sealed)?.body()?;
    Ok(link.prove(&reply.receipt)?.answers(&sealed.id(), None)?)
}
