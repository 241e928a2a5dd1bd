//! What people hand over to be sent: a file that they name, or `-` for what comes on standard input.

use std::ffi::OsString;
use std::path::PathBuf;
use std::{fmt, io};

use zeroize::Zeroizing;

use crate::args::Global;
use crate::failure::Failure;
use crate::files;

/// Where it is. A file of that name is `./-`.
#[derive(Debug, Clone)]
pub(crate) enum Given {
    File(PathBuf),
    StandardInput,
}

impl From<OsString> for Given {
    fn from(word: OsString) -> Self {
        if word == "-" { Self::StandardInput } else { Self::File(word.into()) }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::StandardInput => f.write_str("standard input"),
        }
    }
}

impl Given {
    /// All of it, at most `limit` bytes. `what` names it for people: "the schema".
    pub(crate) fn read(
        &self,
        global: &Global,
        what: &str,
        limit: usize,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        match self {
            Self::File(path) => files::read(path, what, limit),
            Self::StandardInput if global.answers_from_stdin => Err(Failure::usage(format!(
                "{what} and the answers to questions cannot both come on standard input"
            ))
            .then("Name a file in place of -, or answer at the terminal, without --answers-from-stdin.")),
            Self::StandardInput => files::whole(io::stdin().lock(), &self.named(what), limit),
        }
    }

    /// The same of text.
    pub(crate) fn text(&self, global: &Global, what: &str, limit: usize) -> Result<String, Failure> {
        let bytes = self.read(global, what, limit)?;
        std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| {
            Failure::file(format!("{} is not UTF-8 text", self.named(what))).then("Nothing was sent.")
        })
    }

    /// For people: "the schema wards.json".
    pub(crate) fn named(&self, what: &str) -> String {
        match self {
            Self::File(_) => format!("{what} {self}"),
            Self::StandardInput => format!("{what} on {self}"),
        }
    }
}
