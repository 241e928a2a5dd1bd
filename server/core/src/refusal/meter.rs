//! Garbage costs its sender nothing, so it must cost the ledger little.

use std::sync::{Mutex, PoisonError};

use countersign_protocol::clock::Timestamp;

/// How many refusals are recorded one by one in a minute; the rest are counted and recorded as one.
const PER_MINUTE: u32 = 60;

/// Counts refusals by the minute.
#[derive(Debug, Default)]
pub struct Meter {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    minute: i64,
    recorded: u32,
    unrecorded: u64,
}

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// An entry of its own, after an entry for that many that had none.
    Record {
        /// Refusals of earlier minutes without an entry of their own.
        unrecorded_before: u64,
    },
    /// Nothing for now; it was counted.
    Count,
}

impl Meter {
    /// One more refusal.
    pub fn count(&self, now: Timestamp) -> Verdict {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.seconds().div_euclid(60);
        if minute != state.minute {
            state.minute = minute;
            state.recorded = 0;
        }
        if state.recorded >= PER_MINUTE {
            state.unrecorded = state.unrecorded.saturating_add(1);
            return Verdict::Count;
        }
        state.recorded += 1;
        Verdict::Record { unrecorded_before: std::mem::take(&mut state.unrecorded) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_sixty_entries_a_minute_and_one_sum() {
        let meter = Meter::default();
        let start = Timestamp::from_seconds(600);
        let recorded = (0..1000).filter(|_| matches!(meter.count(start), Verdict::Record { .. })).count();
        assert_eq!(recorded, 60);
        assert_eq!(meter.count(start.plus(60)), Verdict::Record { unrecorded_before: 940 });
        assert_eq!(meter.count(start.plus(61)), Verdict::Record { unrecorded_before: 0 });
    }
}
