//! Time as a parameter.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// Where the time comes from. Tests hold it still or turn it.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the ambient clock")]
    fn now(&self) -> Timestamp {
        Timestamp::from(SystemTime::now())
    }
}

/// A moment in whole seconds since 1970, written as RFC 3339 in UTC (`2026-11-22T17:30:00Z`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// From seconds since 1970.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// This moment moved by `seconds`, held at the ends of the range.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// `self - other` in seconds.
    #[must_use]
    pub const fn seconds_since(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }

    /// For libraries that want the standard type. Times before 1970 become 1970.
    #[must_use]
    pub fn to_system_time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(self.0).unwrap_or(0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self(i64::try_from(seconds).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => write!(f, "{}", time.strftime("%Y-%m-%dT%H:%M:%SZ")),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

/// The text is not `YYYY-MM-DDThh:mm:ssZ`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time of the form 2026-11-22T17:30:00Z")]
pub struct NotATime;

impl TryFrom<String> for Timestamp {
    type Error = NotATime;

    fn try_from(text: String) -> Result<Self, NotATime> {
        let time: jiff::Timestamp = text.parse().map_err(|_| NotATime)?;
        let parsed = Self(time.as_second());
        // One spelling only: what is signed must read back as the same bytes.
        if parsed.to_string() == text { Ok(parsed) } else { Err(NotATime) }
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

/// A clock that stands where it is put.
#[derive(Debug)]
pub struct FixedClock(std::sync::atomic::AtomicI64);

impl FixedClock {
    /// Stopped at `time`.
    #[must_use]
    pub const fn at(time: Timestamp) -> Self {
        Self(std::sync::atomic::AtomicI64::new(time.0))
    }

    /// Moves the hands by `seconds`, forward or back.
    pub fn turn(&self, seconds: i64) {
        self.0.fetch_add(seconds, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_as_the_same_bytes() {
        let text = "2026-11-22T17:30:00Z".to_owned();
        let time = Timestamp::try_from(text.clone()).unwrap();
        assert_eq!(String::from(time), text);
    }

    #[test]
    fn a_second_spelling_of_a_time_is_refused() {
        for text in ["2026-11-22T17:30:00.5Z", "2026-11-22T18:30:00+01:00", "2026-11-22t17:30:00z", "now", ""]
        {
            assert!(Timestamp::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
