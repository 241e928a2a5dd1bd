//! Where an application, one of its versions, or a collection stands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::InvalidId;

/// From its beginning to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    /// Waits for an administrator.
    Pending,
    /// In use.
    Active,
    /// Barred until that is lifted.
    Suspended,
    /// Over for good. Its name is never anybody else's.
    Retired,
}

/// What may be done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An administrator lets it be used.
    Approve,
    /// It is barred.
    Suspend,
    /// The bar is lifted.
    Resume,
    /// It is over.
    Retire,
}

/// A step that is not possible from where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is {0}")]
pub struct NotFrom(pub Life);

impl Life {
    /// Where it stands after a step. The whole table of lives.
    ///
    /// # Errors
    /// [`NotFrom`]: there is no such step from here.
    pub const fn after(self, step: Step) -> Result<Self, NotFrom> {
        match (step, self) {
            (Step::Approve, Self::Pending) | (Step::Resume, Self::Suspended) => Ok(Self::Active),
            (Step::Suspend, Self::Active) => Ok(Self::Suspended),
            (Step::Retire, Self::Pending | Self::Active | Self::Suspended) => Ok(Self::Retired),
            _ => Err(NotFrom(self)),
        }
    }

    /// The word in messages, policies and the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Life {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        [Self::Pending, Self::Active, Self::Suspended, Self::Retired]
            .into_iter()
            .find(|life| life.as_str() == text)
            .ok_or(InvalidId { expected: "one of pending, active, suspended, retired" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_lives_is_exactly_this() {
        use Life::{Active, Pending, Retired, Suspended};
        let lives = [Pending, Active, Suspended, Retired];
        for (step, after) in [
            (Step::Approve, [Some(Active), None, None, None]),
            (Step::Suspend, [None, Some(Suspended), None, None]),
            (Step::Resume, [None, None, Some(Active), None]),
            (Step::Retire, [Some(Retired), Some(Retired), Some(Retired), None]),
        ] {
            assert_eq!(lives.map(|life| life.after(step).ok()), after, "{step:?}");
        }
        for life in lives {
            assert_eq!(life.as_str().parse::<Life>().unwrap(), life);
        }
        assert!("withdrawn".parse::<Life>().is_err());
    }
}
