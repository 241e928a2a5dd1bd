//! How fast questions follow one another.

use std::time::{Duration, Instant};

/// Questions that may follow one another at once: as many changes as an administrator makes in one go.
const BURST: u32 = 16;

/// Beyond those, one in this time: the server takes [`limits::WATCHES_REMEMBERED`] in four minutes and no more.
const EVERY: Duration = Duration::from_secs(6);

/// How fast questions follow one another.
pub(super) struct Pace {
    left: u32,
    /// When the newest of those that are left was earned.
    earned: Instant,
}

impl Pace {
    pub(super) const fn new(now: Instant) -> Self {
        Self { left: BURST, earned: now }
    }

    /// Takes one; says how long to wait before it is used.
    pub(super) fn next(&mut self, now: Instant) -> Duration {
        while self.left < BURST && now.saturating_duration_since(self.earned) >= EVERY {
            (self.left, self.earned) = (self.left + 1, self.earned + EVERY);
        }
        if self.left == BURST {
            self.earned = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Duration::ZERO
            }
            None => {
                self.earned += EVERY;
                self.earned.saturating_duration_since(now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::limits;

    use super::*;

    /// A server that always answers at once, and an agent that asks as fast as it may.
    #[test]
    fn questions_never_come_faster_than_the_server_takes_them() {
        let begun = Instant::now();
        let (mut pace, mut now, mut asked) = (Pace::new(begun), begun, Vec::new());
        while now < begun + Duration::from_secs(3600) {
            now += pace.next(now);
            asked.push(now);
        }
        assert!(asked.iter().filter(|at| **at == begun).count() >= 16, "a burst is asked at once");
        for (first, from) in asked.iter().enumerate() {
            let within = asked.iter().skip(first).take_while(|at| **at <= *from + Duration::from_secs(240));
            assert!(within.count() <= limits::WATCHES_REMEMBERED);
        }
        // One question at a time, as on every day, waits for nothing.
        let mut pace = Pace::new(begun);
        for n in 0..1000 {
            assert_eq!(pace.next(begun + limits::WATCH * n), Duration::ZERO);
        }
    }
}
