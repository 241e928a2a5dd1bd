//! One thread that keeps this host in touch: session keys, check-ins, and events that must reach the ledger.
//!
//! Everything that may take as long as the network does, and must happen one at a time, happens here: no other
//! thread needs to hold a lock across it. A login that needs something fresh asks and waits for its own
//! deadline.

mod pauses;
mod quiet;
mod renewal;
mod reports;
mod rounds;
mod settling;

pub use self::renewal::{Refusal, Trouble as RenewalTrouble};

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use countersign_protocol::clock::{Clock as _, Timestamp};
use countersign_protocol::ledger::Checkpoint;
use countersign_protocol::limits;

use self::renewal::{renew, renew_if_due};
use self::reports::send_oldest;
use self::rounds::{Duties, Heard, Rounds};
use self::settling::settle_oldest;
pub use self::settling::{Untold, Unwritten};
use crate::agent::Agent;
use crate::reach::Patience;
use crate::rescue;
use crate::rotation;
use crate::server_link::{Link, Means};
use crate::server_time::Uptime;
use crate::watch::jittered;
use crate::wire::LinkError;

/// What it means that the server saw this host's key on two hosts.
pub const FORKED: &str = "The server has seen two hosts with this host's key: this one, or a copy of it, was set back or cloned. Logins go on while the server can be reached; logins without it, administration from here and changes of its key stop until an administrator decides.";

/// What the log says of people who did not fit into the roster.
const LEFT_OUT: &str = "More login names need a card here than a roster holds. Those left out can log in while the server can be reached, and are in the roster afterwards; without it they cannot.";

/// Calls heard at once.
const CALLS_AT_ONCE: usize = 1024;

/// Reports sent in one go before this host changes its key.
const REPORTS_AT_ONCE: usize = 1000;

/// Hands requests to the keeper.
#[derive(Debug, Clone)]
pub struct Keeper {
    calls: Sender<Call>,
}

/// What somebody wants from the keeper.
#[derive(Debug)]
enum Call {
    /// Do this, between two rounds.
    Work(Work),
    /// Check in now, and say how it went.
    Freshen(SyncSender<Result<(), LinkError>>),
    /// Somebody is about to need the server: is it there?
    Nudge,
    /// The server is to hear of something that only a check-in tells.
    CheckIn,
    /// There is an event to send, a request to settle, or the host was enrolled.
    Look,
}

/// Something that must not happen beside a check-in.
struct Work(Box<dyn FnOnce(&Agent) + Send>);

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Work")
    }
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
        self.freshen_telling(deadline, &mut || ())
    }

    /// The same; calls `slow` once if it takes its time.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn freshen_telling(&self, deadline: Instant, slow: &mut dyn FnMut()) -> Result<(), LinkError> {
        let (answer, result) = sync_channel(1);
        let gone = || LinkError::Internal("the agent's keeper has ended; restart countersignd".to_owned());
        self.calls.send(Call::Freshen(answer)).map_err(|_| gone())?;
        let wait = |until: Instant| result.recv_timeout(until.saturating_duration_since(Instant::now()));
        let soon = Instant::now() + limits::SERVER_PATIENCE;
        let answered = match wait(soon.min(deadline)) {
            Err(RecvTimeoutError::Timeout) if soon < deadline => {
                slow();
                wait(deadline)
            }
            other => other,
        };
        match answered {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(LinkError::Unreachable("no answer in time".to_owned())),
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }

    /// Has it check in as soon as it can. Waits for nothing.
    pub fn check_in(&self) {
        let _ = self.calls.send(Call::CheckIn);
    }

    /// Has it do something between two rounds, and waits for it until `deadline`. What was begun is finished even if
    /// nobody waits any more.
    ///
    /// # Errors
    /// [`LinkError`]: nobody knows how it ended.
    pub fn in_turn<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&Agent) -> T + Send + 'static,
    ) -> Result<T, LinkError> {
        let (answer, result) = sync_channel(1);
        let work = move |agent: &Agent| {
            let _ = answer.try_send(work(agent));
        };
        let ended =
            || LinkError::Internal("the agent's keeper did not finish; restart countersignd".to_owned());
        self.calls.send(Call::Work(Work(Box::new(work)))).map_err(|_| ended())?;
        match result.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(done) => Ok(done),
            Err(RecvTimeoutError::Timeout) => Err(LinkError::Unreachable(
                "it takes longer than expected; it goes on by itself, and `countersign status` shows how it ended"
                    .to_owned(),
            )),
            Err(RecvTimeoutError::Disconnected) => Err(ended()),
        }
    }

    /// Has it find out whether the server is there, unless that is known. Waits for nothing.
    pub fn nudge(&self) {
        let _ = self.calls.send(Call::Nudge);
    }

    /// Has it look at the outbox and at what is unsettled.
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
    let (mut rounds, mut rescue) = (Rounds::new(), rescue::Watch::default());
    loop {
        let heard = match calls.recv_timeout(rounds.pause()) {
            Ok(call) => gather(call, calls),
            Err(RecvTimeoutError::Timeout) => (Heard::default(), Vec::new()),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let Some(agent) = agent.upgrade() else { return };
        let (heard, works) = heard;
        for Work(work) in works {
            // A bug in there must not end the only keeper; who waits for it hears that it ended.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(agent.as_ref())));
        }
        rescue.look(agent.as_ref());
        rounds.turn(agent.as_ref(), heard);
    }
}

impl Duties for Agent {
    fn check_in_every(&self) -> Duration {
        Duration::from_secs(self.config.check_in_seconds)
    }

    fn managed_mark(&self) -> Option<(u64, i64, i64)> {
        self.link().and_then(|_| self.contacts.managed_mark())
    }

    fn keys_are_due(&self) -> bool {
        self.link().is_some_and(|link| renewal::is_due(self, &link))
    }

    fn is_there(&self) -> bool {
        self.wire.reach.answered_within(limits::ANSWER_FRESH, Instant::now())
    }

    fn uptime(&self) -> Timestamp {
        Uptime.now()
    }

    fn woke(&self) {
        self.bell.ring_anew();
    }

    fn jittered(&self, time: Duration) -> Duration {
        jittered(time, self.random.as_ref())
    }

    fn check_in(&self, time: Duration) -> Result<(), LinkError> {
        check_in(self, Patience::until(Instant::now() + time))
    }

    fn send_report(&self) -> Result<bool, LinkError> {
        // Which of two keys is in force must be known before anything is signed with either.
        rotation::settle(self)?;
        // What a person waits to know comes first.
        if settle_oldest(self)? { Ok(true) } else { send_oldest(self) }
    }

    fn complain(&self, event: &'static str, error: &LinkError) {
        self.log.warn(event, &[("why", &error.to_string())]);
    }

    fn relieved(&self) {
        self.log.notice("server-answers-again", &[]);
    }
}

/// One check-in answers everybody who asked for one by now.
fn gather(first: Call, calls: &Receiver<Call>) -> (Heard, Vec<Work>) {
    let (mut heard, mut works) = (Heard::default(), Vec::new());
    // Bounded: whoever calls faster than this reads must not hold the thread.
    for call in std::iter::once(first).chain(calls.try_iter().take(CALLS_AT_ONCE)) {
        match call {
            Call::Freshen(answer) => heard.waiting.push(answer),
            Call::Nudge => heard.nudged = true,
            Call::CheckIn => heard.due = true,
            Call::Look => heard.called = true,
            Call::Work(work) => works.push(work),
        }
    }
    (heard, works)
}

/// Sends what waits for the server, as far as it takes it. On the keeper's own thread.
///
/// # Errors
/// [`LinkError`]: something still waits.
pub(crate) fn send_everything(agent: &Agent) -> Result<(), LinkError> {
    for _ in 0..REPORTS_AT_ONCE {
        if !agent.send_report()? {
            break;
        }
    }
    Ok(())
}

/// All that a check-in comes to, whoever needs one.
fn check_in(agent: &Agent, patience: Patience) -> Result<(), LinkError> {
    if agent.link().is_none() {
        return Err(LinkError::NotEnrolled);
    }
    // As above: a report may need one, too.
    rotation::settle(agent)?;
    let Some(link) = agent.link() else { return Err(LinkError::NotEnrolled) };
    let left_out = agent.contacts.left_out();
    let is_forked = || agent.contacts.get().is_some_and(|contact| contact.forked);
    let was_forked = is_forked();
    let result = session_and_check_in(agent, &link, agent.means(patience));
    match &result {
        Ok(()) => agent.bell.ring(),
        Err(LinkError::Refused { clock_was_wrong: None, .. }) => agent.contacts.refused()?,
        Err(_) => {}
    }
    if is_forked() && !was_forked {
        agent.log.warn("host-forked", &[("what", FORKED)]);
    }
    let now = agent.contacts.left_out();
    if now > 0 && now != left_out {
        let logins = now.to_string();
        agent.log.warn("roster-left-some-out", &[("logins", &logins), ("what", LEFT_OUT)]);
    }
    result
}

/// The server's ledger as it is, whatever this host knew. On the keeper's own thread.
///
/// # Errors
/// [`LinkError`].
pub(crate) fn look_at_ledger(agent: &Agent) -> Result<Checkpoint, LinkError> {
    rotation::settle(agent)?;
    let link = agent.link().ok_or(LinkError::NotEnrolled)?;
    let means = agent.means(Patience::until(Instant::now() + limits::SERVER_ANSWER));
    renew_if_due(agent, &link, means)?;
    match agent.contacts.look_at_ledger(&link, means) {
        // As in a check-in.
        Err(LinkError::Refused { .. }) => {
            renew(agent, &link, means)?;
            agent.contacts.look_at_ledger(&link, means)
        }
        other => other,
    }
}

fn session_and_check_in(agent: &Agent, link: &Link, means: Means<'_>) -> Result<(), LinkError> {
    renew_if_due(agent, link, means)?;
    let checked_in = match agent.contacts.check_in(link, means) {
        Err(LinkError::Refused { clock_was_wrong: Some(_), .. }) => agent.contacts.check_in(link, means),
        // The server may know other session keys, from a copy of this host or a restored backup.
        Err(LinkError::Refused { .. }) if link.refusal().may_renew(Instant::now()) => {
            let renewed = renew(agent, link, means);
            if renewed.is_err() {
                link.refusal().got_none(Instant::now());
            }
            renewed?;
            agent.contacts.check_in(link, means)
        }
        other => other,
    };
    if checked_in.is_ok() {
        link.refusal().is_over();
    }
    checked_in
}
