//! Anybody may look at the journal as often as they like, and a look reads a lot of it: one at a time, and with a rest
//! after each, so that logins have the disk, the journal and the processor.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The rest after a look, as many times as long as the look: all users together keep a quarter of one core busy.
const REST: u32 = 3;

/// Longest rest.
const AT_MOST: Duration = Duration::from_millis(500);

/// Everybody but root who looks.
#[derive(Debug, Default)]
pub struct Lookers {
    /// When the rest after the last look is over.
    rest: Mutex<Option<Instant>>,
}

/// Somebody's turn; over when dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    rest: MutexGuard<'a, Option<Instant>>,
    begun: Instant,
}

impl Lookers {
    /// Waits for it.
    #[must_use]
    pub fn turn(&self) -> Turn<'_> {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = *rest {
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
        }
        Turn { rest, begun: Instant::now() }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let took = now.saturating_duration_since(self.begun);
        *self.rest = Some(now + took.saturating_mul(REST).min(AT_MOST));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn lookers_come_one_at_a_time_and_rest_longer_than_they_look() {
        const LOOK: Duration = Duration::from_millis(20);
        let (lookers, inside, looks) = (Lookers::default(), AtomicU32::new(0), AtomicU32::new(0));
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while begun.elapsed() < Duration::from_millis(800) {
                        let _turn = lookers.turn();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                        std::thread::sleep(LOOK);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        looks.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        let busy = LOOK * looks.load(Ordering::SeqCst);
        assert!(busy * 3 < begun.elapsed(), "{busy:?} of {:?}", begun.elapsed());
        assert!(looks.load(Ordering::SeqCst) >= 2, "everybody has a turn");
    }
}
