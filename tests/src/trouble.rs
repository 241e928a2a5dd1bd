//! What can go wrong in the harness itself.

use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

/// A failure of the harness or of something it started, told so that the test's output explains it.
#[derive(thiserror::Error)]
pub enum Trouble {
    /// Namespaces, mounts and cgroups need root.
    #[error("these tests build private machines and need root: run as root, e.g. `sudo -E cargo xtask test`")]
    NotRoot,
    /// A program under test was not built.
    #[error("{0} is not built; run `cargo xtask test`, or `cargo build` for the package it belongs to")]
    NotBuilt(PathBuf),
    /// No usable cgroup2 file system.
    #[error("no writable cgroup2 hierarchy ({0}); run on the host, or in a container with its own cgroups")]
    NoCgroup(String),
    /// The private machine did not come up.
    #[error("the private machine did not start: {0}")]
    Machine(String),
    /// An operating system call failed.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// Something did not happen in time.
    #[error("waited {limit:?} in vain for {what}{detail}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// What was seen instead; empty or starting on a new line.
        detail: String,
    },
    /// The virtual card did not do what it was told.
    #[error("the virtual card refused {command:?}: {error}")]
    Card {
        /// The control socket's command.
        command: String,
        /// Its answer.
        error: String,
    },
    /// People saw something else than what is kept.
    #[error(
        "transcripts differ from their golden files; if that is meant, run the test with UPDATE_GOLDEN=1 and read what changed (-: kept, +: seen now)\n{0}"
    )]
    Transcripts(String),
    /// A measurement cannot go on.
    #[error("{0}")]
    Bench(String),
    /// A program ended without success.
    #[error("{program} failed with {status}:\n{output}")]
    Program {
        /// Which.
        program: String,
        /// How it ended.
        status: String,
        /// What it said.
        output: String,
    },
}

/// The sentence: it is what a test shows when it unwraps.
impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Adds what was attempted to an operating system error.
pub(crate) trait Attempt<T> {
    fn attempt(self, what: impl FnOnce() -> String) -> Result<T, Trouble>;
}

impl<T, E: Into<io::Error>> Attempt<T> for Result<T, E> {
    fn attempt(self, what: impl FnOnce() -> String) -> Result<T, Trouble> {
        self.map_err(|source| Trouble::Io { what: what(), source: source.into() })
    }
}
