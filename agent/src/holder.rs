//! Another program that has a card: who it is, and asking it to let go.
//!
//! GnuPG's scdaemon takes a card for itself and keeps it as long as it runs. It lets go, without ending, when a
//! client asks it to reset the card, and takes it again at GnuPG's next use. It listens to its own user alone,
//! so it is asked by a process of that user. Nothing in here needs a privilege that the agent does not have:
//!
//! | step | by | file |
//! |---|---|---|
//! | whose processes talk to pcscd, and which of these users have a scdaemon | the agent, from the kernel's list of sockets | `sockets` |
//! | a process of that user, with nothing that is the agent's | the agent | `errand` |
//! | which programs they are; whether scdaemon has the card, and if so, to reset it | that process | `visit`, `scdaemon` |
//!
//! What a visitor says is that user's word, about that user's programs. It is shown, and decides nothing.

mod errand;
mod scdaemon;
mod search;
mod sockets;
mod visit;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_protocol::ids::CardIdent;
use countersign_protocol::limits;

use crate::card::{CardError, Waiting};
use errand::Errands;
use search::Search;

pub use visit::visit;

/// How often the card is tried while its holder is asked.
const TRY: Duration = Duration::from_millis(25);

/// A person is told after this long that somebody else's program is waited for.
const UNNOTICED: Duration = Duration::from_millis(500);

/// A program that has a card, as far as it can be told: by itself or, where the kernel shows several that talk to
/// pcscd, one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    candidates: Vec<Candidate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    program: Option<Program>,
    /// Whose.
    login: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Program {
    name: String,
    pid: i32,
}

/// What GnuPG calls its program for cards.
const SCDAEMON: &str = "scdaemon";

/// More candidates are not named: a sentence has an end.
const NAMED: usize = 3;

impl Holder {
    /// What the person can do about it.
    #[must_use]
    pub fn way_out(&self) -> String {
        match self.candidates.as_slice() {
            [Candidate { program: Some(program), login }] if program.name == SCDAEMON => {
                format!("let it go, as {login}, with: gpgconf --kill scdaemon")
            }
            [Candidate { program: Some(_), .. }] => "end it, or wait until it is done".to_owned(),
            _ => "if it is GnuPG, let it go with: gpgconf --kill scdaemon".to_owned(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.candidates.is_empty() {
            return f.write_str("another program");
        }
        for (at, candidate) in self.candidates.iter().take(NAMED).enumerate() {
            write!(f, "{}{candidate}", if at == 0 { "" } else { " or " })?;
        }
        if self.candidates.len() > NAMED { f.write_str(" or another program") } else { Ok(()) }
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.program {
            Some(Program { name, pid }) if name == SCDAEMON => write!(f, "GnuPG (scdaemon, process {pid})")?,
            Some(Program { name, pid }) => write!(f, "the program {name} (process {pid})")?,
            None => f.write_str("a program")?,
        }
        write!(f, " of {}", self.login)
    }
}

/// Finds who has a card, and asks them.
#[derive(Clone)]
pub struct Holders {
    errands: Arc<Errands>,
}

/// A card that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Which, if it was ever read.
    pub card: Option<CardIdent>,
    /// For the person: `YubiKey …1234`.
    pub name: &'a str,
}

impl Holders {
    /// `program` is run as a user with [`visit`]'s argument after `--visit`. Without one nobody is asked.
    #[must_use]
    pub fn new(program: Option<PathBuf>) -> Self {
        Self { errands: Arc::new(Errands::new(program)) }
    }

    /// Asks whoever has the card to let go, until `attempt` does not end with [`CardError::InUse`]. The person is
    /// told who it is.
    ///
    /// # Errors
    /// What `attempt` ended with; [`CardError::InUse`] with the holder when it takes too long.
    pub fn make_way<T>(
        &self,
        wanted: Wanted<'_>,
        waiting: &mut dyn Waiting,
        attempt: &mut dyn FnMut() -> Result<T, CardError>,
    ) -> Result<T, CardError> {
        let begun = Instant::now();
        let mut search = Search::begin(&self.errands, wanted.card);
        let mut told = None;
        loop {
            match attempt() {
                Err(CardError::InUse(_)) => {}
                Ok(got) => {
                    search.hear_the_last();
                    if told.is_some() || search.has_asked() {
                        waiting.note(&search.thanks(wanted.name));
                    }
                    return Ok(got);
                }
                Err(other) => return Err(other),
            }
            if waiting.is_cancelled() {
                return Err(CardError::Cancelled);
            }
            let patience = if search.has_asked() { limits::CARD_ANSWER } else { limits::CARD_LET_GO };
            if Instant::now() >= waiting.deadline().min(begun + patience) {
                return Err(CardError::InUse(search.holder()));
            }
            search.listen(TRY);
            let news =
                (search.has_asked() || begun.elapsed() >= UNNOTICED).then(|| search.question(wanted.name));
            if news.is_some() && told != news {
                waiting.note(news.as_deref().unwrap_or_default());
                told = news;
            }
        }
    }
}

#[cfg(test)]
mod tests;
