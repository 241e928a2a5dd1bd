//! What time it is for the server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_protocol::clock::{Clock, Timestamp};

/// A difference below this is the time the message took.
const NOISE: i64 = 5;

/// A difference above this makes it worth asking: well below what a message's time may be wrong by, and far above what
/// two clocks of one machine differ by in a day.
const DOUBT: i64 = 30;

/// The host's clock, corrected by what the server signed, and never below the last signed time and what has
/// passed since: whoever turns the host's clock back revives nothing and stops nothing.
pub struct ServerTime {
    clock: Arc<dyn Clock>,
    uptime: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// Server minus host, once the server has spoken.
    offset: Option<i64>,
    signed: Option<Signed>,
}

/// The server signed this time when the host was up for so long.
#[derive(Debug, Clone, Copy)]
struct Signed {
    server: Timestamp,
    uptime: Timestamp,
}

/// What a signed time answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Bytes that were sealed a moment ago: it was signed since then.
    Fresh,
    /// Bytes that were kept and sent again: it may be as old as they are.
    Kept,
}

/// How long this machine is up, sleep included, counted from 1970: nobody turns it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Uptime;

impl Clock for Uptime {
    fn now(&self) -> Timestamp {
        let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME);
        Timestamp::from_seconds(time.map_or(0, |time| time.tv_sec()))
    }
}

impl ServerTime {
    /// Not corrected yet. `uptime` is [`Uptime`] outside tests.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, uptime: Arc<dyn Clock>) -> Self {
        Self { clock, uptime, known: Mutex::default() }
    }

    /// It was this time at least when the agent ended.
    pub fn remember(&self, server: Timestamp) {
        let uptime = self.uptime.now();
        let mut known = self.lock();
        if known.floor(uptime).is_none_or(|floor| floor < server) {
            known.signed = Some(Signed { server, uptime });
        }
    }

    /// Now, in the server's time as far as it is known.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.lock().now(self.clock.now(), self.uptime.now())
    }

    /// Whether the host's clock went much further on than time did since the server signed one: it was turned, or the
    /// machine stood still and did not notice. Nobody but the server can tell.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        let (clock, uptime) = (self.clock.now(), self.uptime.now());
        let known = self.lock();
        known.floor(uptime).is_some_and(|floor| known.now(clock, uptime).seconds_since(floor) > DOUBT)
    }

    /// Now, by the host's own clock.
    #[must_use]
    pub fn local(&self) -> Timestamp {
        self.clock.now()
    }

    /// Server minus host, in seconds, once the server has spoken.
    #[must_use]
    pub fn offset(&self) -> Option<i64> {
        self.lock().offset
    }

    /// The server signed this time. Returns by how many seconds our idea of its time was wrong; it follows the
    /// server back, too, but only by an answer to what was sealed a moment ago.
    pub fn learn(&self, server: Timestamp, answers: Answers) -> i64 {
        if answers == Answers::Kept {
            return 0;
        }
        let (clock, uptime) = (self.clock.now(), self.uptime.now());
        let mut known = self.lock();
        let wrong = server.seconds_since(known.now(clock, uptime));
        let corrected = clock.plus(known.offset.unwrap_or(0));
        if known.offset.is_none() || server.seconds_since(corrected).abs() > NOISE {
            let offset = server.seconds_since(clock);
            known.offset = Some(if offset.abs() > NOISE { offset } else { 0 });
        }
        if wrong.abs() > NOISE || known.floor(uptime).is_none_or(|floor| floor < server) {
            known.signed = Some(Signed { server, uptime });
        }
        if wrong.abs() > NOISE { wrong } else { 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn now(&self, clock: Timestamp, uptime: Timestamp) -> Timestamp {
        let corrected = clock.plus(self.offset.unwrap_or(0));
        self.floor(uptime).map_or(corrected, |floor| floor.max(corrected))
    }

    fn floor(&self, uptime: Timestamp) -> Option<Timestamp> {
        self.signed.map(|signed| signed.server.plus(uptime.seconds_since(signed.uptime).max(0)))
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::clock::FixedClock;

    use super::*;

    struct Host {
        clock: Arc<FixedClock>,
        uptime: Arc<FixedClock>,
        time: ServerTime,
    }

    impl Host {
        fn at(seconds: i64) -> Self {
            let clock = Arc::new(FixedClock::at(at(seconds)));
            let uptime = Arc::new(FixedClock::at(at(50)));
            let time =
                ServerTime::new(Arc::clone(&clock) as Arc<dyn Clock>, Arc::clone(&uptime) as Arc<dyn Clock>);
            Self { clock, uptime, time }
        }

        fn pass(&self, seconds: i64) {
            self.clock.turn(seconds);
            self.uptime.turn(seconds);
        }
    }

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_wrong_clock_is_corrected_and_a_clock_turned_back_revives_nothing() {
        let host = Host::at(1000);
        assert_eq!(host.time.offset(), None);
        assert_eq!(host.time.learn(at(5000), Answers::Fresh), 4000);
        assert_eq!((host.time.now(), host.time.offset()), (at(5000), Some(4000)));
        host.clock.turn(-600);
        assert_eq!(host.time.now(), at(5000), "held at the latest signed time");
        host.clock.turn(700);
        assert_eq!(host.time.now(), at(5100));
        assert_eq!(host.time.learn(at(5102), Answers::Fresh), 0, "the way the message took");
    }

    #[test]
    fn a_clock_that_went_further_than_time_is_in_doubt_until_the_server_has_spoken() {
        let host = Host::at(1000);
        assert!(!host.time.is_in_doubt(), "nothing is known to doubt it by");
        host.time.learn(at(1000), Answers::Fresh);
        host.pass(86_400);
        assert!(!host.time.is_in_doubt());
        host.clock.turn(3600);
        assert!(host.time.is_in_doubt());
        host.time.learn(at(87_400), Answers::Fresh);
        assert!(!host.time.is_in_doubt());
        host.clock.turn(-3600);
        assert!(!host.time.is_in_doubt(), "held where it was");
        assert_eq!(host.time.now(), at(87_400));
    }

    #[test]
    fn time_goes_on_after_the_clock_was_turned_back() {
        let host = Host::at(5000);
        host.time.learn(at(5000), Answers::Fresh);
        host.clock.turn(-86_400);
        for _ in 0..10 {
            host.pass(600);
        }
        assert_eq!(host.time.now(), at(11_000));
        assert_eq!(host.time.learn(at(11_001), Answers::Fresh), 0);
    }

    #[test]
    fn one_glitch_of_the_servers_clock_is_undone_by_its_next_answer() {
        let host = Host::at(5000);
        host.time.learn(at(5000), Answers::Fresh);
        host.pass(10);
        assert_eq!(host.time.learn(at(5010 + 86_400), Answers::Fresh), 86_400);
        host.pass(10);
        assert_eq!(host.time.now(), at(5020 + 86_400));
        assert_eq!(host.time.learn(at(5020), Answers::Fresh), -86_400);
        assert_eq!((host.time.now(), host.time.offset()), (at(5020), Some(0)));
    }

    #[test]
    fn an_answer_to_kept_bytes_teaches_nothing() {
        let host = Host::at(5000);
        host.time.learn(at(5000), Answers::Fresh);
        for stale in [1400, 8600] {
            assert_eq!(host.time.learn(at(stale), Answers::Kept), 0);
            assert_eq!((host.time.now(), host.time.offset()), (at(5000), Some(0)));
        }
    }

    #[test]
    fn a_restart_with_the_clock_turned_back_revives_nothing() {
        let host = Host::at(1000);
        host.time.remember(at(5000));
        assert_eq!((host.time.now(), host.time.offset()), (at(5000), None));
        host.pass(100);
        assert_eq!(host.time.now(), at(5100));
        host.time.remember(at(4000));
        assert_eq!(host.time.now(), at(5100), "only forward");
    }

    #[test]
    fn the_machines_uptime_is_told() {
        assert!(Uptime.now() > at(0));
    }
}
