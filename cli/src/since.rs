//! A time as people give it: how long ago, a day, or the exact second.

use std::str::FromStr;

use countersign_protocol::clock::Timestamp;

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// So many seconds ago.
    Ago(i64),
    /// From then.
    At(Timestamp),
}

/// Not a time.
#[derive(Debug, thiserror::Error)]
#[error("not a time: give 30m, 2h, 3d, a day such as 2026-11-22, or a time such as 2026-11-22T17:30:00Z")]
pub(crate) struct NotATime;

impl Since {
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(seconds) => now.plus(-seconds),
            Self::At(at) => at,
        }
    }
}

impl FromStr for Since {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let seconds = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
        for (unit, seconds) in seconds {
            if let Some(number) = text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok()) {
                return Ok(Self::Ago(i64::from(number) * seconds));
            }
        }
        let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        Timestamp::try_from(whole).map(Self::At).map_err(|_| NotATime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_age_a_day_or_a_second() {
        let now = Timestamp::from_seconds(1_790_000_000);
        let before = |text: &str| text.parse::<Since>().ok().map(|since| since.before(now).to_string());
        assert_eq!(before("90s"), Some(now.plus(-90).to_string()));
        assert_eq!(before("2h"), Some(now.plus(-7200).to_string()));
        assert_eq!(before("3d"), Some(now.plus(-259_200).to_string()));
        assert_eq!(before("2026-11-22").as_deref(), Some("2026-11-22T00:00:00Z"));
        assert_eq!(before("2026-11-22T17:30:00Z").as_deref(), Some("2026-11-22T17:30:00Z"));
        for bad in ["", "h", "-2h", "2w", "yesterday", "2026-13-01", "99999999999h"] {
            assert_eq!(before(bad), None, "{bad}");
        }
    }
}
