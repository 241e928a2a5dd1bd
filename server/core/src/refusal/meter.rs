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

/// How long a standing alarm of one source is not raised again, in seconds.
const STANDING: i64 = 3600;

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
    recorded: HashMap<(Source, Class), u32>,
    /// When the standing alarms were raised.
    standing: HashMap<Source, Timestamp>,
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

/// How much a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Class {
    /// No more than that.
    Refusal,
    /// Somebody must look at it.
    Alarm,
    /// Somebody must look at it; the same again of the same source says nothing new for an hour.
    StandingAlarm,
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
    pub fn count(&self, now: Timestamp, source: Source, class: Class) -> Verdict {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.seconds().div_euclid(60);
        if minute != state.minute {
            state.minute = minute;
            state.recorded.clear();
        }
        if class == Class::StandingAlarm && !state.is_news(&source, now) {
            return Verdict::Count;
        }
        let mut key = (source, class);
        if state.recorded.len() >= SOURCES && !state.recorded.contains_key(&key) {
            key.0 = Source::Stranger;
        }
        let recorded = state.recorded.entry(key).or_default();
        let most = if class == Class::Refusal { PER_MINUTE } else { ALARMS_PER_MINUTE };
        if *recorded >= most {
            state.unrecorded = state.unrecorded.saturating_add(1);
            return Verdict::Count;
        }
        *recorded += 1;
        Verdict::Record { unrecorded_before: std::mem::take(&mut state.unrecorded) }
    }
}

impl State {
    /// Whether a standing alarm of this source is to be raised; it is then. What is not is told by its own entry, and
    /// no part of any sum.
    fn is_news(&mut self, source: &Source, now: Timestamp) -> bool {
        // By whichever way the clock went.
        self.standing.retain(|_, raised| now.seconds_since(*raised).abs() < STANDING);
        if self.standing.contains_key(source) || self.standing.len() >= SOURCES {
            return false;
        }
        self.standing.insert(source.clone(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(meter: &Meter, now: Timestamp, source: &Source, class: Class) -> usize {
        (0..1000)
            .filter(|_| matches!(meter.count(now, source.clone(), class), Verdict::Record { .. }))
            .count()
    }

    #[test]
    fn a_flood_leaves_sixty_entries_a_minute_and_one_sum() {
        let meter = Meter::default();
        let start = Timestamp::from_seconds(600);
        let count = |at| meter.count(at, Source::Stranger, Class::Refusal);
        assert_eq!(recorded(&meter, start, &Source::Stranger, Class::Refusal), 60);
        assert_eq!(count(start.plus(60)), Verdict::Record { unrecorded_before: 940 });
        assert_eq!(count(start.plus(61)), Verdict::Record { unrecorded_before: 0 });
    }

    #[test]
    fn a_flood_of_one_source_hides_neither_another_nor_an_alarm() {
        let meter = Meter::default();
        let now = Timestamp::from_seconds(600);
        let host = Source::Signer("0123456789ABCDEF0123456789ABCDEF01234567".parse().unwrap());
        assert_eq!(recorded(&meter, now, &Source::Stranger, Class::Refusal), 60);
        assert_eq!(recorded(&meter, now, &Source::Newcomer, Class::Refusal), 60);
        assert_eq!(recorded(&meter, now, &host, Class::Refusal), 60);
        assert_eq!(recorded(&meter, now, &host, Class::Alarm), 20);
        assert_eq!(recorded(&meter, now, &Source::Newcomer, Class::Alarm), 20);
        // One that stands is raised once an hour, whoever else raises what.
        assert_eq!(recorded(&meter, now, &host, Class::StandingAlarm), 1);
        assert_eq!(recorded(&meter, now.plus(STANDING - 1), &host, Class::StandingAlarm), 0);
        assert_eq!(recorded(&meter, now.plus(STANDING - 1), &Source::Newcomer, Class::StandingAlarm), 1);
        assert_eq!(recorded(&meter, now.plus(STANDING), &host, Class::StandingAlarm), 1);
    }
}
