//! Whether a card was taken away: not while pcscd is restarted, not when a reader comes back after sleep, and not when
//! the card is put in again at once. Reads no clock.

use std::time::{Duration, Instant};

/// How long pcscd may take to find its readers and cards, after it was gone, after sleep, and at the agent's start.
const SETTLING: Duration = Duration::from_secs(10);

/// How long a card that is in and cannot be read may turn out to be the one.
const UNCLEAR: Duration = Duration::from_secs(10);

/// Between two tries to act.
const AGAIN: Duration = Duration::from_secs(2);

/// Tries to act, in all.
const TRIES: u32 = 3;

/// What can be seen of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// It is in a reader.
    There,
    /// It is in none.
    Away,
    /// A card is in that nobody could read yet.
    Unclear,
    /// A card is in that another program has for itself: nobody can say that it is not the one.
    Held,
    /// No card can be seen at all.
    Blind,
}

/// One session's watch over its card.
#[derive(Debug, Clone, Copy)]
pub(super) struct Debounce {
    away_since: Option<Instant>,
    /// Before that nothing that is seen counts.
    settled_at: Instant,
    tried: Tried,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tried {
    NotYet,
    Failed { times: u32, at: Instant },
    Done,
}

/// Whether to act now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Verdict {
    /// Nothing to do.
    Wait,
    /// The card is gone.
    Act,
}

impl Debounce {
    pub(super) fn new(now: Instant) -> Self {
        Self { away_since: None, settled_at: now + SETTLING, tried: Tried::NotYet }
    }

    /// For a session whose card is there as it begins.
    pub(super) const fn beside_its_card(now: Instant) -> Self {
        Self { away_since: None, settled_at: now, tried: Tried::NotYet }
    }

    /// What is seen now. `patience`: how long a card must be away.
    pub(super) fn step(self, sight: Sight, now: Instant, patience: Duration) -> (Self, Verdict) {
        let patience = match sight {
            Sight::There => return (Self { away_since: None, tried: Tried::NotYet, ..self }, Verdict::Wait),
            // Nothing is done until it is read, or gone as well: then it counts from there.
            Sight::Held => return (Self { away_since: None, ..self }, Verdict::Wait),
            Sight::Blind => {
                let settled_at = now + SETTLING;
                return (Self { away_since: None, settled_at, ..self }, Verdict::Wait);
            }
            Sight::Away => patience,
            Sight::Unclear => patience.max(UNCLEAR),
        };
        let since = self.away_since.unwrap_or(now);
        let next = Self { away_since: Some(since), ..self };
        let is_due = match self.tried {
            Tried::NotYet => true,
            Tried::Failed { times, at } => times < TRIES && now >= at + AGAIN,
            Tried::Done => false,
        };
        let is_gone = now >= since + patience && now >= self.settled_at;
        if is_due && is_gone { (next, Verdict::Act) } else { (next, Verdict::Wait) }
    }

    /// It was acted upon. Whether that was the last try.
    pub(super) fn acted(&mut self, succeeded: bool, now: Instant) -> bool {
        let times = match self.tried {
            Tried::Failed { times, .. } => times + 1,
            Tried::NotYet | Tried::Done => 1,
        };
        self.tried = if succeeded { Tried::Done } else { Tried::Failed { times, at: now } };
        succeeded || times >= TRIES
    }

    /// Whether it matters when it is looked at next.
    pub(super) const fn is_counting(&self) -> bool {
        self.away_since.is_some() && !matches!(self.tried, Tried::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3);

    /// Sees these at these milliseconds; at which of them it acts, and whether that works.
    fn acts(mut debounce: Debounce, start: Instant, seen: &[(u64, Sight)], works: bool) -> Vec<u64> {
        let mut acted = Vec::new();
        for (at, sight) in seen {
            let now = start + Duration::from_millis(*at);
            let (next, verdict) = debounce.step(*sight, now, PATIENCE);
            debounce = next;
            if verdict == Verdict::Act {
                acted.push(*at);
                let _ = debounce.acted(works, now);
            }
        }
        acted
    }

    fn running(seen: &[(u64, Sight)]) -> Vec<u64> {
        let start = Instant::now();
        acts(Debounce::beside_its_card(start), start, seen, true)
    }

    use Sight::{Away, Blind, Held, There, Unclear};

    #[test]
    fn a_card_that_stays_away_is_acted_upon_once() {
        let seen = [(0, There), (100, Away), (3000, Away), (3100, Away), (3200, Away), (60_000, Away)];
        assert_eq!(running(&seen), [3100]);
    }

    #[test]
    fn a_card_that_is_back_in_time_was_not_taken_away_however_often() {
        let mut seen = Vec::new();
        for round in 0..50 {
            seen.extend([(round * 4000, There), (round * 4000 + 10, Away), (round * 4000 + 3000, Away)]);
        }
        assert!(running(&seen).is_empty());
    }

    #[test]
    fn after_it_was_back_it_counts_anew() {
        let seen = [(0, Away), (3000, Away), (5000, There), (6000, Away), (8999, Away), (9000, Away)];
        assert_eq!(running(&seen), [3000, 9000]);
    }

    #[test]
    fn pcscd_that_is_restarted_is_no_removal() {
        let seen =
            [(0, There), (10, Blind), (60_000, Blind), (60_010, Away), (69_999, Away), (70_009, There)];
        assert!(running(&seen).is_empty());
        // Taken out meanwhile.
        let seen = [(0, There), (10, Blind), (2000, Blind), (2010, Away), (11_999, Away), (12_000, Away)];
        assert_eq!(running(&seen), [12_000]);
        // Away before, and then nothing to be seen.
        let seen = [(0, Away), (2900, Blind), (3100, Away), (6200, Away)];
        assert!(running(&seen).is_empty());
    }

    #[test]
    fn an_agent_that_was_started_anew_waits_until_readers_were_found() {
        let start = Instant::now();
        let seen = [(0, Away), (9999, Away), (10_000, Away)];
        assert_eq!(acts(Debounce::new(start), start, &seen, true), [10_000]);
        let seen = [(0, Away), (5000, There), (20_000, There)];
        assert!(acts(Debounce::new(start), start, &seen, true).is_empty());
    }

    #[test]
    fn another_card_that_cannot_be_read_puts_it_off_and_no_more() {
        let seen = [(0, There), (100, Unclear), (3100, Unclear), (10_099, Unclear), (10_100, Unclear)];
        assert_eq!(running(&seen), [10_100]);
        let seen = [(0, There), (100, Unclear), (3099, Unclear), (3100, Away)];
        assert_eq!(running(&seen), [3100]);
    }

    #[test]
    fn a_card_that_another_program_has_is_no_removal_until_it_is_gone_as_well() {
        let seen = [(0, There), (100, Away), (1000, Held), (3_600_000, Held), (3_600_100, There)];
        assert!(running(&seen).is_empty());
        let seen = [(0, There), (100, Away), (1000, Held), (60_000, Held), (60_100, Away), (63_100, Away)];
        assert_eq!(running(&seen), [63_100]);
        let start = Instant::now();
        let anew = [(0, Held), (10_000, Held), (600_000, Held)];
        assert!(acts(Debounce::new(start), start, &anew, true).is_empty());
    }

    #[test]
    fn what_fails_is_tried_three_times() {
        let start = Instant::now();
        let seen: Vec<_> = (0..200).map(|n| (n * 100, Away)).collect();
        assert_eq!(acts(Debounce::beside_its_card(start), start, &seen, false), [3000, 5000, 7000]);
        let mut debounce = Debounce::beside_its_card(start);
        assert_eq!([1, 2, 3].map(|_| debounce.acted(false, start)), [false, false, true]);
    }
}
