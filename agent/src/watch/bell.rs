//! What wakes the watch.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Rung when the watch should look: the server was there, or answered.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<Rung>,
    sound: Condvar,
}

/// How often it rang so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rung {
    times: u64,
    /// And how often because every connection may be dead.
    anew: u64,
}

impl Rung {
    /// Whether it rang since `earlier` because every connection may be dead.
    #[must_use]
    pub const fn is_anew_since(self, earlier: Self) -> bool {
        self.anew != earlier.anew
    }
}

impl Bell {
    /// Wakes the watch.
    pub fn ring(&self) {
        self.pull(|rung| rung.times = rung.times.wrapping_add(1));
    }

    /// Wakes it to forget what it waits for, and ask anew: the machine slept.
    pub fn ring_anew(&self) {
        self.pull(|rung| {
            (rung.times, rung.anew) = (rung.times.wrapping_add(1), rung.anew.wrapping_add(1));
        });
    }

    /// How often it rang so far.
    #[must_use]
    pub fn rung(&self) -> Rung {
        *self.lock()
    }

    /// Waits until it rings once more than it was `heard`, `time` at most.
    pub fn wait(&self, heard: Rung, time: Duration) {
        let silent = self.sound.wait_timeout_while(self.lock(), time, |rung| *rung == heard);
        drop(silent.unwrap_or_else(PoisonError::into_inner));
    }

    fn pull(&self, how: impl FnOnce(&mut Rung)) {
        how(&mut self.lock());
        self.sound.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_bell_that_rang_meanwhile_is_not_waited_for() {
        let bell = Arc::new(Bell::default());
        let heard = bell.rung();
        bell.ring();
        let begun = Instant::now();
        bell.wait(heard, Duration::from_secs(60));
        let ringer = Arc::clone(&bell);
        let heard = bell.rung();
        let thread = std::thread::spawn(move || ringer.ring());
        bell.wait(heard, Duration::from_secs(60));
        thread.join().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(30));
        bell.wait(bell.rung(), Duration::from_millis(10));
    }
}
