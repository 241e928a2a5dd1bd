//! What time it is for the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use countersign_protocol::clock::{Clock, Timestamp};

/// A difference below this is the time the message took.
const NOISE: i64 = 5;

/// The host's clock, corrected by what the server signed, and never below it: whoever turns the host's clock
/// back revives nothing.
pub struct ServerTime {
    clock: Arc<dyn Clock>,
    offset: AtomicI64,
    floor: AtomicI64,
    known: AtomicBool,
}

impl ServerTime {
    /// Not corrected yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            offset: AtomicI64::new(0),
            floor: AtomicI64::new(i64::MIN),
            known: AtomicBool::new(false),
        }
    }

    /// Now, in the server's time as far as it is known.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let corrected = self.clock.now().plus(self.offset.load(Ordering::SeqCst));
        corrected.max(Timestamp::from_seconds(self.floor.load(Ordering::SeqCst)))
    }

    /// Now, by the host's own clock.
    #[must_use]
    pub fn local(&self) -> Timestamp {
        self.clock.now()
    }

    /// Server minus host, in seconds, once the server has spoken.
    #[must_use]
    pub fn offset(&self) -> Option<i64> {
        self.known.load(Ordering::SeqCst).then(|| self.offset.load(Ordering::SeqCst))
    }

    /// The server signed this time a moment ago. Returns by how many seconds our idea of its time was wrong.
    pub fn learn(&self, server: Timestamp) -> i64 {
        let wrong = server.seconds_since(self.now());
        self.known.store(true, Ordering::SeqCst);
        self.floor.fetch_max(server.seconds(), Ordering::SeqCst);
        if wrong.abs() > NOISE {
            self.offset.store(server.seconds_since(self.clock.now()), Ordering::SeqCst);
            return wrong;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::clock::FixedClock;

    use super::*;

    #[test]
    fn a_wrong_clock_is_corrected_and_a_clock_turned_back_revives_nothing() {
        let clock = Arc::new(FixedClock::at(Timestamp::from_seconds(1000)));
        let time = ServerTime::new(Arc::clone(&clock) as Arc<dyn Clock>);
        assert_eq!(time.offset(), None);
        assert_eq!(time.learn(Timestamp::from_seconds(5000)), 4000);
        assert_eq!((time.now().seconds(), time.offset()), (5000, Some(4000)));
        clock.turn(-600);
        assert_eq!(time.now().seconds(), 5000, "held at the latest signed time");
        clock.turn(700);
        assert_eq!(time.now().seconds(), 5100);
        assert_eq!(time.learn(Timestamp::from_seconds(5102)), 0, "the way the message took");
    }
}
