//! When what is due: a check-in, and the events one by one.

use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use countersign_protocol::limits;

use crate::wire::LinkError;

/// Soonest next try after a failure.
const RETRY: Duration = Duration::from_secs(5);

/// How often the file of managed users is looked at.
const PULSE: Duration = Duration::from_secs(2);

/// Soonest next try to send events.
const EVENTS_RETRY: Duration = Duration::from_secs(15);

/// What there is to do. All of it may take as long as the network does.
pub(super) trait Duties {
    /// How long from one check-in to the next.
    fn check_in_every(&self) -> Duration;
    /// Changes when the host should check in out of turn.
    fn managed_mark(&self) -> Option<(u64, i64, i64)>;
    /// Whether the server answered a moment ago.
    fn is_there(&self) -> bool;
    /// Session keys, if they are due, and a check-in, within this time.
    fn check_in(&self, time: Duration) -> Result<(), LinkError>;
    /// Sends the oldest event; says whether more wait.
    fn send_event(&self) -> Result<bool, LinkError>;
}

/// Who waits for a check-in.
pub(super) type Waiting = Vec<SyncSender<Result<(), LinkError>>>;

/// What the keeper was told since it last looked.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Who waits for a check-in.
    pub(super) waiting: Waiting,
    /// Somebody is about to need the server.
    pub(super) nudged: bool,
    /// There may be an event to send.
    pub(super) called: bool,
}

/// When what is due.
pub(super) struct Rounds {
    check_in: Instant,
    events: Option<Instant>,
    /// The last attempt failed: new events do not make the next one sooner.
    events_failed: bool,
    managed: Option<(u64, i64, i64)>,
}

impl Rounds {
    pub(super) fn new() -> Self {
        Self { check_in: Instant::now(), events: None, events_failed: false, managed: None }
    }

    pub(super) fn pause(&self) -> Duration {
        let now = Instant::now();
        let due = self.events.map_or(self.check_in, |events| self.check_in.min(events));
        due.min(now + PULSE).saturating_duration_since(now)
    }

    /// At most one check-in, which answers everybody who waits for one, and then at most one event: however
    /// many events wait, nobody waits for more than one of them.
    pub(super) fn turn(&mut self, duties: &dyn Duties, heard: Heard) {
        let Heard { waiting, nudged, called } = heard;
        // Somebody was added to the file: the roster shall know them before they come.
        let mark = duties.managed_mark();
        let due = Instant::now() >= self.check_in || mark != self.managed;
        self.managed = mark;
        let asked = due || !waiting.is_empty();
        if asked || (nudged && !duties.is_there()) {
            // Who only wants to know whether it is there will not wait any longer either.
            let time = if asked { limits::SERVER_ANSWER } else { limits::SERVER_PATIENCE };
            let result = guarded(|| duties.check_in(time));
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

/// A bug in here must not end the only keeper.
fn guarded<T>(work: impl Fn() -> Result<T, LinkError>) -> Result<T, LinkError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(LinkError::Internal("internal error".to_owned())))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::sync_channel;

    use super::*;

    /// An outbox that never ends, and a network that takes its time.
    #[derive(Default)]
    struct Flooded {
        check_ins: AtomicU32,
        events: AtomicU32,
        unreachable: bool,
        slow: bool,
    }

    impl Duties for Flooded {
        fn check_in_every(&self) -> Duration {
            if self.slow { Duration::from_secs(60) } else { Duration::from_millis(100) }
        }
        fn managed_mark(&self) -> Option<(u64, i64, i64)> {
            None
        }
        fn is_there(&self) -> bool {
            !self.unreachable
        }
        fn check_in(&self, _: Duration) -> Result<(), LinkError> {
            self.check_ins.fetch_add(1, Ordering::SeqCst);
            if self.unreachable { Err(LinkError::Unreachable("gone".to_owned())) } else { Ok(()) }
        }
        fn send_event(&self) -> Result<bool, LinkError> {
            self.events.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
            if self.unreachable { Err(LinkError::Unreachable("gone".to_owned())) } else { Ok(true) }
        }
    }

    fn called() -> Heard {
        Heard { called: true, ..Heard::default() }
    }

    #[test]
    fn an_endless_outbox_delays_a_login_by_no_more_than_one_event() {
        let (duties, mut rounds) = (Flooded::default(), Rounds::new());
        rounds.turn(&duties, called());
        let (answer, result) = sync_channel(1);
        let events = duties.events.load(Ordering::SeqCst);
        rounds.turn(&duties, Heard { waiting: vec![answer], ..called() });
        assert_eq!(result.try_recv().unwrap(), Ok(()));
        assert!(duties.events.load(Ordering::SeqCst) <= events + 1);
    }

    #[test]
    fn an_endless_outbox_keeps_no_check_in_from_its_time() {
        let (duties, mut rounds) = (Flooded::default(), Rounds::new());
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            rounds.turn(&duties, called());
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
            rounds.turn(&duties, called());
        }
        assert_eq!(duties.events.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_nudge_costs_nothing_while_the_server_is_there_and_a_look_when_it_is_not() {
        let nudged = || Heard { nudged: true, ..Heard::default() };
        for (unreachable, looks) in [(false, 0), (true, 1)] {
            let duties = Flooded { unreachable, slow: true, ..Flooded::default() };
            let mut rounds = Rounds::new();
            rounds.turn(&duties, Heard::default());
            let before = duties.check_ins.load(Ordering::SeqCst);
            rounds.turn(&duties, nudged());
            assert_eq!(duties.check_ins.load(Ordering::SeqCst), before + looks);
        }
    }
}
