//! The file is missing or wrong.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

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
    #[error("{}, line {line}: {what}\nCorrect that line; `countersign-server config check` looks at the whole file.", .path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Which line of it, from 1. It is not repeated: somebody may have written a password into it.
        line: usize,
        /// Which key, and what was expected.
        what: String,
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

impl ConfigError {
    pub(super) fn wrong(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let key = text.lines().nth(line - 1).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
        let what = match key {
            Some(key) => format!("{key}: {}", error.message()),
            None => error.message().to_owned(),
        };
        Self::Wrong { path: path.to_owned(), line, what }
    }
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
