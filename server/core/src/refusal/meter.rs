//! Garbage costs its sender nothing, so it must cost the ledger little – and hide nothing that matters.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::SignedBy;
use countersign_protocol::ids::Fingerprint;

/// How many refusals of one source are recorded one by one in a minute; the rest are counted and recorded as one.
const PER_MINUTE: u32 = 60;

/// How many alarms of one source. They are counted apart, so that no refusal takes their place.
const ALARMS_PER_MINUTE: u32 = 20;

/// Most sources told apart in one minute; further ones count as strangers.
const SOURCES: usize = 10_000;

/// Counts refusals by the minute and by who caused them.
#[derive(Debug, Default)]
pub struct Meter {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    minute: i64,
    recorded: HashMap<(Source, bool), u32>,
    unrecorded: u64,
}

/// Who caused it, as far as a signature proves it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// Nobody's good signature.
    Stranger,
    /// One certificate that is enrolled.
    Signer(Fingerprint),
    /// A new key beside the application's: anyone can make any number of them.
    Newcomer,
}

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// An entry of its own, after an entry for that many that had none.
    Record {
        /// Earlier refusals without an entry of their own.
        unrecorded_before: u64,
    },
    /// Nothing for now; it was counted.
    Count,
}

impl Source {
    /// From the signatures that were good.
    #[must_use]
    pub fn of(signers: &[SignedBy]) -> Self {
        match signers {
            [] => Self::Stranger,
            [one] => Self::Signer(one.certificate.clone()),
            _ => Self::Newcomer,
        }
    }
}

impl Meter {
    /// One more refusal.
    pub fn count(&self, now: Timestamp, source: Source, alarms: bool) -> Verdict {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.seconds().div_euclid(60);
        if minute != state.minute {
            state.minute = minute;
            state.recorded.clear();
        }
        let mut key = (source, alarms);
        if state.recorded.len() >= SOURCES && !state.recorded.contains_key(&key) {
            key.0 = Source::Stranger;
        }
        let recorded = state.recorded.entry(key).or_default();
        if *recorded >= if alarms { ALARMS_PER_MINUTE } else { PER_MINUTE } {
            state.unrecorded = state.unrecorded.saturating_add(1);
            return Verdict::Count;
        }
        *recorded += 1;
        Verdict::Record { unrecorded_before: std::mem::take(&mut state.unrecorded) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(meter: &Meter, now: Timestamp, source: &Source, alarms: bool) -> usize {
        (0..1000)
            .filter(|_| matches!(meter.count(now, source.clone(), alarms), Verdict::Record { .. }))
            .count()
    }

    #[test]
    fn a_flood_leaves_sixty_entries_a_minute_and_one_sum() {
        let meter = Meter::default();
        let start = Timestamp::from_seconds(600);
        let count = |at| meter.count(at, Source::Stranger, false);
        assert_eq!(recorded(&meter, start, &Source::Stranger, false), 60);
        assert_eq!(count(start.plus(60)), Verdict::Record { unrecorded_before: 940 });
        assert_eq!(count(start.plus(61)), Verdict::Record { unrecorded_before: 0 });
    }

    #[test]
    fn a_flood_of_one_source_hides_neither_another_nor_an_alarm() {
        let meter = Meter::default();
        let now = Timestamp::from_seconds(600);
        let host = Source::Signer("0123456789ABCDEF0123456789ABCDEF01234567".parse().unwrap());
        assert_eq!(recorded(&meter, now, &Source::Stranger, false), 60);
        assert_eq!(recorded(&meter, now, &Source::Newcomer, false), 60);
        assert_eq!(recorded(&meter, now, &host, false), 60);
        assert_eq!(recorded(&meter, now, &host, true), 20);
        assert_eq!(recorded(&meter, now, &Source::Newcomer, true), 20);
    }
}
