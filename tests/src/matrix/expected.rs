//! What may come of a login.

use std::fmt;

/// What libpam returned to the program, by its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PamCode {
    /// `PAM_SUCCESS`
    Success,
    /// `PAM_AUTH_ERR`
    AuthErr,
    /// `PAM_PERM_DENIED`
    PermDenied,
    /// `PAM_MAXTRIES`
    MaxTries,
    /// `PAM_AUTHINFO_UNAVAIL`
    AuthInfoUnavail,
    /// Anything else, as it was printed.
    Other(String),
}

impl PamCode {
    /// From the last line of `pamtester`, which is what `pam_strerror(3)` says.
    pub(super) fn from_pamtester(shown: &str, success: bool) -> Self {
        if success {
            return Self::Success;
        }
        let said = shown.lines().rev().find_map(|line| line.strip_prefix("pamtester: ")).unwrap_or_default();
        match said {
            "Authentication failure" => Self::AuthErr,
            "Permission denied" => Self::PermDenied,
            "Have exhausted maximum number of retries for service" => Self::MaxTries,
            "Authentication service cannot retrieve authentication info" => Self::AuthInfoUnavail,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// What must come of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Ana is let in. The letter says by which way.
    Served(char),
    /// Ana is not let in, and told this.
    Denied(Denied),
}

/// A denial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// In the printed matrix.
    pub letter: char,
    /// What the program hears.
    pub code: PamCode,
    /// What the agent's log names; none where the agent had no last word.
    pub reason: Option<&'static str>,
    /// A part of the sentence that Ana reads.
    pub says: String,
}

impl Expected {
    /// In the printed matrix.
    #[must_use]
    pub const fn letter(&self) -> char {
        match self {
            Self::Served(letter) => *letter,
            Self::Denied(denied) => denied.letter,
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {}, saying {:?}", self.code, self.reason.unwrap_or("no last word"), self.says)
    }
}
