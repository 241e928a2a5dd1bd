//! When what is due: a check-in, and the reports one by one.

use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::limits;

use super::pauses::Pauses;
use super::quiet::Quiet;
use crate::wire::LinkError;

/// Next try after a failure, at the latest; after refusals it takes longer and longer.
const RETRY: Duration = Duration::from_secs(5);

/// How often the file of managed users is looked at.
const PULSE: Duration = Duration::from_secs(2);

/// Soonest next try to send reports.
const REPORTS_RETRY: Duration = Duration::from_secs(15);

/// The machine slept if it was up for so many seconds more than its programs ran.
const NAP: i64 = 5;

/// What there is to do. All of it may take as long as the network does.
pub(super) trait Duties {
    /// How long from one check-in to the next.
    fn check_in_every(&self) -> Duration;
    /// Changes when the host should check in out of turn.
    fn managed_mark(&self) -> Option<(u64, i64, i64)>;
    /// Whether the session keys are to be replaced, and that was not tried a moment ago.
    fn keys_are_due(&self) -> bool;
    /// Whether the server answered a moment ago.
    fn is_there(&self) -> bool;
    /// Session keys, if they are due, and a check-in, within this time.
    fn check_in(&self, time: Duration) -> Result<(), LinkError>;
    /// How long the machine is up, sleep included.
    fn uptime(&self) -> Timestamp;
    /// The machine slept.
    fn woke(&self);
    /// Some time within `time`, another for each host.
    fn jittered(&self, time: Duration) -> Duration;
    /// Sends the oldest report; says whether more wait.
    fn send_report(&self) -> Result<bool, LinkError>;
    /// Tells the log that something failed.
    fn complain(&self, event: &'static str, error: &LinkError);
    /// Tells the log that it works again.
    fn relieved(&self);
}

/// Who waits for a check-in.
pub(super) type Waiting = Vec<SyncSender<Result<(), LinkError>>>;

/// What the keeper was told since it last looked.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Who waits for a check-in.
    pub(super) waiting: Waiting,
    /// A check-in is wanted, and nobody waits for it.
    pub(super) due: bool,
    /// Somebody is about to need the server.
    pub(super) nudged: bool,
    /// There may be a report to send.
    pub(super) called: bool,
}

/// When what is due.
pub(super) struct Rounds {
    check_in: Instant,
    /// The last check-in failed: what is due waits until the next one is.
    check_in_failed: bool,
    reports: Option<Instant>,
    /// The last attempt failed: new reports do not make the next one sooner.
    reports_failed: bool,
    managed: Option<(u64, i64, i64)>,
    /// When it last looked, by the clock that stops while the machine sleeps and by the one that does not.
    looked: Option<(Instant, Timestamp)>,
    quiet: Quiet,
    check_in_pauses: Pauses,
    report_pauses: Pauses,
}

impl Rounds {
    pub(super) fn new() -> Self {
        Self {
            check_in: Instant::now(),
            check_in_failed: false,
            reports: None,
            reports_failed: false,
            managed: None,
            looked: None,
            quiet: Quiet::default(),
            check_in_pauses: Pauses::from(RETRY),
            report_pauses: Pauses::from(REPORTS_RETRY),
        }
    }

    pub(super) fn pause(&self) -> Duration {
        let now = Instant::now();
        let due = self.reports.map_or(self.check_in, |reports| self.check_in.min(reports));
        due.min(now + PULSE).saturating_duration_since(now)
    }

    /// At most one check-in, which answers everybody who waits for one, and then at most one report: however
    /// many reports wait, nobody waits for more than one of them.
    pub(super) fn turn(&mut self, duties: &dyn Duties, heard: Heard) {
        let Heard { waiting, due, nudged, called } = heard;
        // Somebody was added to the file: the roster shall know them before they come.
        let mark = duties.managed_mark();
        // Check-ins may be as rare as one a day; the keys last for hours.
        let keys = !self.check_in_failed && duties.keys_are_due();
        let slept = self.slept(duties);
        if slept {
            duties.woke();
        }
        let due = due || slept || keys || mark != self.managed || Instant::now() >= self.check_in;
        self.managed = mark;
        let asked = due || !waiting.is_empty();
        if asked || (nudged && !duties.is_there()) {
            // Who only wants to know whether it is there will not wait any longer either.
            let time = if asked { limits::SERVER_ANSWER } else { limits::SERVER_PATIENCE };
            self.check_in(duties, time, waiting);
        }
        let asked = called && !self.reports_failed;
        if asked || self.reports.is_some_and(|reports| Instant::now() >= reports) {
            self.send(duties);
        }
    }

    fn check_in(&mut self, duties: &dyn Duties, time: Duration, waiting: Waiting) {
        let result = guarded(|| duties.check_in(time));
        self.check_in_failed = result.is_err();
        let pause = match &result {
            Ok(()) => {
                if self.quiet.is_over() {
                    duties.relieved();
                }
                self.check_in_pauses.are_over();
                self.reports_failed = false;
                self.reports = Some(Instant::now());
                duties.check_in_every()
            }
            Err(error) => {
                self.complain(duties, "check-in-failed", error);
                duties.jittered(self.check_in_pauses.after(error))
            }
        };
        self.check_in = Instant::now() + pause;
        for answer in waiting {
            let _ = answer.try_send(result.clone());
        }
    }

    fn send(&mut self, duties: &dyn Duties) {
        let result = guarded(|| duties.send_report());
        self.reports_failed = result.is_err();
        self.reports = match result {
            Ok(more) => {
                self.report_pauses.are_over();
                more.then(Instant::now)
            }
            Err(error) => {
                self.complain(duties, "reports-unsent", &error);
                Some(Instant::now() + self.report_pauses.after(&error))
            }
        };
    }

    fn complain(&mut self, duties: &dyn Duties, event: &'static str, error: &LinkError) {
        if self.quiet.is_news(event, &error.to_string(), Instant::now()) {
            duties.complain(event, error);
        }
    }

    /// Whether the machine slept since it was last asked: then every connection may be dead, and much have changed.
    fn slept(&mut self, duties: &dyn Duties) -> bool {
        let now = (Instant::now(), duties.uptime());
        let Some((instant, uptime)) = self.looked.replace(now) else { return false };
        let ran = i64::try_from(now.0.saturating_duration_since(instant).as_secs()).unwrap_or(i64::MAX);
        now.1.seconds_since(uptime).saturating_sub(ran) > NAP
    }
}

/// A bug in here must not end the only keeper.
fn guarded<T>(work: impl Fn() -> Result<T, LinkError>) -> Result<T, LinkError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(LinkError::Internal("internal error".to_owned())))
}

#[cfg(test)]
mod tests;
