//! The file is missing or wrong.

use std::borrow::Cow;
use std::path::PathBuf;

/// The file is missing or wrong.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not readable.
    #[error("{}: {error}\nWrite one, or let `countersign-server init` make it.", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Not what it should be.
    #[error("{}: {error}\nCorrect that line; `countersign-server config check` looks at the whole file.", .path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Line, key, and what was expected.
        error: Box<toml::de::Error>,
    },
    /// A value of the right kind that cannot be used.
    #[error("{}: {unfit}", .path.display())]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        unfit: Unfit,
    },
}

/// A value of the right kind that cannot be used. Each section looks for its own.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {what}")]
pub struct Unfit {
    key: &'static str,
    what: Cow<'static, str>,
}

impl Unfit {
    /// `key` with its section; `what` goes on behind it, and says what to do.
    pub(super) fn new(key: &'static str, what: impl Into<Cow<'static, str>>) -> Self {
        Self { key, what: what.into() }
    }
}
