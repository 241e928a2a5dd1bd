//! What anybody may cause again and again is written down once a minute for each of them, and counted.
//!
//! A denial costs its cause nothing, but each record costs the host a disk write and the ledger an entry that
//! stays for ever. Whoever is denied is told so every time; this is about the records alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign_protocol::ids::LoginName;

use crate::permit::Door;

/// One record in this time.
const WINDOW: Duration = Duration::from_secs(60);

/// Further lines in the local log in this time.
const LINES: u64 = 9;

/// Check-ins that anybody may cause: one in this time.
const REFRESH: Duration = Duration::from_secs(10);

/// Sources told apart; further ones count as one.
const SOURCES: usize = 1024;

/// Who caused what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// Through which socket.
    pub door: Door,
    /// The peer's user; root's programs ask for everybody, so there the login name matters.
    pub uid: u32,
    /// For which login name, if for one.
    pub login: Option<LoginName>,
    /// What is recorded.
    pub what: &'static str,
}

/// How much of it to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Heed {
    /// In full; so many more of the same were not, since the last one that was.
    Record {
        /// How many.
        missed: u64,
    },
    /// One line in the local log.
    LogOnly,
    /// Not at all; it is counted.
    Count,
}

/// Remembers what was recorded in the last minute.
#[derive(Debug, Default)]
pub struct Floods {
    seen: Mutex<HashMap<Source, Seen>>,
    refreshed: Mutex<Option<Instant>>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    since: Instant,
    recorded: u64,
    missed: u64,
}

impl Floods {
    /// How much of this one to record: one in a minute in full.
    pub fn heed(&self, source: Source, now: Instant) -> Heed {
        self.heed_up_to(source, 1, now)
    }

    /// The same for what may well happen more often: the first `most` of a minute are recorded in full.
    pub fn heed_up_to(&self, source: Source, most: u64, now: Instant) -> Heed {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= SOURCES && !seen.contains_key(&source) {
            seen.retain(|_, seen| !seen.is_over(now));
        }
        let source = if seen.len() >= SOURCES && !seen.contains_key(&source) {
            Source { uid: u32::MAX, login: None, ..source }
        } else {
            source
        };
        match seen.get_mut(&source) {
            Some(seen) if !seen.is_over(now) && seen.recorded < most => {
                seen.recorded += 1;
                Heed::Record { missed: 0 }
            }
            Some(seen) if !seen.is_over(now) => {
                seen.missed += 1;
                if seen.missed <= LINES { Heed::LogOnly } else { Heed::Count }
            }
            last => {
                let missed = last.map_or(0, |last| last.missed);
                seen.insert(source, Seen { since: now, recorded: 1, missed: 0 });
                Heed::Record { missed }
            }
        }
    }

    /// Whether somebody on the socket for everybody may have the server asked now.
    #[must_use]
    pub fn may_refresh(&self, now: Instant) -> bool {
        let mut last = self.refreshed.lock().unwrap_or_else(PoisonError::into_inner);
        let may = last.is_none_or(|last| now.saturating_duration_since(last) >= REFRESH);
        if may {
            *last = Some(now);
        }
        may
    }
}

impl Seen {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uid: u32) -> Source {
        Source { door: Door::User, uid, login: None, what: "remote-session" }
    }

    #[test]
    fn a_flood_of_one_user_is_one_record_a_minute_and_hides_nobody_else() {
        let (floods, start) = (Floods::default(), Instant::now());
        let heeds: Vec<Heed> = (0..20_000).map(|_| floods.heed(of(1000), start)).collect();
        assert_eq!(heeds.first(), Some(&Heed::Record { missed: 0 }));
        assert_eq!(heeds.iter().filter(|heed| **heed == Heed::LogOnly).count(), 9);
        assert_eq!(heeds.last(), Some(&Heed::Count));
        assert_eq!(floods.heed(of(1001), start), Heed::Record { missed: 0 });
        let pam = Source { door: Door::Pam, ..of(1000) };
        assert_eq!(floods.heed(pam, start), Heed::Record { missed: 0 });
        assert_eq!(floods.heed(of(1000), start + WINDOW), Heed::Record { missed: 19_999 });
    }

    #[test]
    fn what_may_happen_often_is_recorded_so_often_and_then_counted() {
        let (floods, start) = (Floods::default(), Instant::now());
        let heeds: Vec<Heed> = (0..100).map(|_| floods.heed_up_to(of(1000), 30, start)).collect();
        assert_eq!(heeds.iter().filter(|heed| **heed == Heed::Record { missed: 0 }).count(), 30);
        assert_eq!(heeds.iter().filter(|heed| **heed == Heed::Count).count(), 61);
        assert_eq!(floods.heed_up_to(of(1000), 30, start + WINDOW), Heed::Record { missed: 70 });
        assert_eq!(floods.heed_up_to(of(1000), 30, start + WINDOW), Heed::Record { missed: 0 });
    }

    #[test]
    fn strangers_have_the_server_asked_once_in_ten_seconds() {
        let (floods, start) = (Floods::default(), Instant::now());
        let asked = |from: u64| {
            (0..1000).filter(|n| floods.may_refresh(start + Duration::from_millis(from + n))).count()
        };
        assert_eq!((asked(0), asked(5000), asked(10_000), asked(15_000)), (1, 0, 1, 0));
    }

    #[test]
    fn a_flood_of_names_takes_no_memory_without_end() {
        let (floods, start) = (Floods::default(), Instant::now());
        for uid in 0..100_000 {
            let _ = floods.heed(of(uid), start);
        }
        assert_eq!(floods.seen.lock().unwrap().len(), SOURCES + 1);
        let _ = floods.heed(of(200_000), start + WINDOW);
        assert_eq!(floods.seen.lock().unwrap().len(), 1, "what is over is forgotten");
    }
}
