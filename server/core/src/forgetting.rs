//! When a message that was answered may be forgotten: never because a clock leapt.
//!
//! A reply or nonce is deleted when no message could come again with it, by our clock. A clock that leaps ahead would
//! delete them too early, and one that is then set back would let the messages in again. So nothing is deleted until
//! the wall clock has run evenly beside the monotonic one for as long as we remember; and how far was forgotten is
//! kept beside the rest, so that a clock that says an earlier time stops the server instead of opening the past.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::limits;

use crate::stop::Failure;
use crate::store::StoreError;

/// How far the two clocks may drift apart, in seconds.
const LEAP: i64 = 600;

/// How long a message that is accepted may have been answered before: a statement's life, and the skew of two clocks.
const REACH: i64 = limits::STATEMENT_LIFE + 2 * limits::CLOCK_SKEW;

/// Forgetting more often gains nothing.
const PAUSE: Duration = Duration::from_secs(60);

/// Watches the clock.
#[derive(Debug, Default)]
pub(crate) struct Steady {
    state: Mutex<Option<State>>,
}

#[derive(Debug)]
struct State {
    /// Both clocks when they began to run evenly.
    wall: Timestamp,
    elapsed: Duration,
    forgot: Option<Duration>,
}

impl Steady {
    /// What may be forgotten now, if anything: all that is older than this. `elapsed` is by a clock that nobody sets.
    /// A start counts as a leap, for what was before it is not known.
    pub(crate) fn forgettable(&self, wall: Timestamp, elapsed: Duration) -> Option<Timestamp> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let anew = || State { wall, elapsed, forgot: None };
        let even = state.get_or_insert_with(anew);
        let passed = seconds(elapsed.saturating_sub(even.elapsed));
        if (wall.seconds_since(even.wall) - passed).abs() > LEAP {
            *even = anew();
            return None;
        }
        let paused = even.forgot.is_none_or(|forgot| elapsed.saturating_sub(forgot) >= PAUSE);
        if passed < limits::REPLAY_MEMORY || !paused {
            return None;
        }
        even.forgot = Some(elapsed);
        Some(wall.plus(-limits::REPLAY_MEMORY))
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// Whether everything that could come again at this time is still remembered.
///
/// # Errors
/// [`Failure::Clock`].
pub(crate) fn remembers(store: &(impl ForgettingStore + ?Sized), now: Timestamp) -> Result<(), Failure> {
    let Some(before) = store.forgotten()? else { return Ok(()) };
    let behind = before.plus(REACH).seconds_since(now);
    if behind > 0 { Err(Failure::Clock(behind)) } else { Ok(()) }
}

/// Forgetting in a store.
pub trait ForgettingStore {
    /// Up to when replies and nonces were deleted, if any were.
    ///
    /// # Errors
    /// [`StoreError`].
    fn forgotten(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Deletes some of the replies and nonces, and of the handshakes, registrations and letters that ended, from before `before`: as much
    /// as nobody waits for. Whether there is more.
    ///
    /// # Errors
    /// [`StoreError`].
    fn forget_some(&self, before: Timestamp) -> Result<bool, StoreError>;

    /// All of it at once.
    ///
    /// # Errors
    /// [`StoreError`].
    fn forget(&self, before: Timestamp) -> Result<(), StoreError> {
        while self.forget_some(before)? {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_000_000);

    fn at(steady: &Steady, wall: i64, elapsed: u64) -> Option<i64> {
        let before = steady.forgettable(START.plus(wall), Duration::from_secs(elapsed));
        before.map(|before| before.seconds_since(START))
    }

    #[test]
    fn an_even_clock_forgets_after_an_hour_and_once_a_minute() {
        let steady = Steady::default();
        assert_eq!(at(&steady, 0, 0), None);
        assert_eq!(at(&steady, 3599, 3599), None);
        assert_eq!(at(&steady, 3600, 3600), Some(0));
        assert_eq!(at(&steady, 3601, 3601), None);
        assert_eq!(at(&steady, 3660, 3660), Some(60));
        // Nobody wrote for a day.
        assert_eq!(at(&steady, 90_000, 90_000), Some(86_400));
    }

    #[test]
    fn a_leap_either_way_begins_the_hour_anew() {
        for leap in [7200, -7200] {
            let steady = Steady::default();
            assert_eq!(at(&steady, 0, 0), None);
            assert_eq!(at(&steady, 4000 + leap, 4000), None, "{leap}");
            assert_eq!(at(&steady, 4001 + leap, 4001), None, "{leap}");
            assert_eq!(at(&steady, 7600 + leap, 7600), Some(4000 + leap), "{leap}");
        }
    }

    #[test]
    fn many_small_leaps_are_one() {
        let steady = Steady::default();
        assert_eq!(at(&steady, 0, 0), None);
        // A minute passes, and the clock says six.
        assert!((1_u32..200).all(|n| at(&steady, i64::from(n) * 360, u64::from(n) * 60).is_none()));
    }
}
