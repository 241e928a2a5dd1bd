//! The card program's control socket, from the test's side.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::trouble::{Attempt as _, Trouble};

/// The card answers orders at once, whatever it does for pcscd meanwhile.
const LIMIT: Duration = Duration::from_secs(20);

/// Where the card is and what it waits for.
#[derive(Clone, Debug, Deserialize)]
pub struct CardStatus {
    /// Manufacturer and serial number.
    pub ident: String,
    /// In the reader.
    pub inserted: bool,
    /// pcscd's driver listens to it.
    pub connected: bool,
    /// The driver gave it power.
    pub powered: bool,
    /// A command waits for `resume`.
    pub hanging: bool,
    /// A touch is asked for.
    pub waiting_for_touch: bool,
    /// Faults still to come.
    pub pending_faults: usize,
}

/// The commands a card got.
#[derive(Clone, Debug, Deserialize)]
pub struct Counts {
    /// How many.
    pub total: usize,
    /// How many of each name.
    pub by_name: BTreeMap<String, usize>,
    /// Their names, first to last.
    pub order: Vec<String>,
    /// PINs that the card itself refused: tries spent.
    pub refused_pins: usize,
    worked_us: u64,
}

impl Counts {
    /// How long the card itself worked on them, from a command's arrival to its answer.
    #[must_use]
    pub const fn worked(&self) -> Duration {
        Duration::from_micros(self.worked_us)
    }

    /// How many commands of this name.
    #[must_use]
    pub fn of(&self, name: &str) -> usize {
        self.by_name.get(name).copied().unwrap_or(0)
    }
}

/// What becomes of an answer on its way from the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Half of the data, and the status word.
    Half,
    /// The status word alone.
    NoData,
    /// Other data of the same length, and the status word.
    Garbage,
    /// Far more data than any answer has, and the status word.
    Long,
    /// One byte in all.
    Cut,
}

impl Damage {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Half => "half",
            Self::NoData => "no-data",
            Self::Garbage => "garbage",
            Self::Long => "long",
            Self::Cut => "cut",
        }
    }
}

/// The finger on the card's button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Touches at once, every time. The state at the start.
    Off,
    /// Does nothing until told; the card gives up after 15 seconds.
    Require,
    /// Touches once, now or when the card asks next, and then does nothing again.
    Grant,
    /// Every touch is refused at once.
    Refuse,
}

impl Touch {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Require => "require",
            Self::Grant => "grant",
            Self::Refuse => "refuse",
        }
    }
}

/// A connection per command.
#[derive(Debug)]
pub(super) struct Control {
    socket: PathBuf,
}

impl Control {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn order(&self, command: &str) -> Result<(), Trouble> {
        self.ask::<serde::de::IgnoredAny>(command).map(drop)
    }

    pub(super) fn ask<T: DeserializeOwned>(&self, command: &str) -> Result<T, Trouble> {
        let line = self.exchange(command).attempt(|| format!("tell the virtual card {command:?}"))?;
        let refused = |error: String| Trouble::Card { command: command.to_owned(), error };
        let verdict: Verdict = serde_json::from_str(&line).map_err(|error| refused(error.to_string()))?;
        if !verdict.ok {
            return Err(refused(verdict.error.unwrap_or_default()));
        }
        serde_json::from_str(&line).map_err(|error| refused(error.to_string()))
    }

    fn exchange(&self, command: &str) -> io::Result<String> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(LIMIT))?;
        writeln!(stream, "{command}")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line)
    }
}

#[derive(Deserialize)]
struct Verdict {
    ok: bool,
    error: Option<String>,
}
