//! Another program that has a card for itself: who it is, and asking it to let go.
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
mod sockets;
mod visit;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use countersign_protocol::ids::CardIdent;
use countersign_protocol::limits;

use crate::card::{CardError, Waiting};
use errand::{Errands, Sent};
use sockets::Suspect;
use visit::Word;

pub use visit::visit;

/// pcscd's socket, as its own library has it.
const PCSCD: &str = "/run/pcscd/pcscd.comm";

/// How often the card is tried while its holder is asked.
const TRY: Duration = Duration::from_millis(25);

/// A person is told after this long that somebody else's program is waited for.
const UNNOTICED: Duration = Duration::from_millis(500);

/// How long a word takes to be heard.
const WORD: Duration = Duration::from_millis(100);

/// How often a user's scdaemon is asked for one request: GnuPG may take the card again in between.
const ASKED: u32 = 3;

/// A program that has a card for itself, as far as it can be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    program: Option<Program>,
    /// Whose.
    login: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Program {
    name: String,
    pid: i32,
    is_gnupg: bool,
}

impl Holder {
    /// What the person can do about it.
    #[must_use]
    pub fn way_out(&self) -> String {
        match (&self.program, &self.login) {
            (Some(program), _) if !program.is_gnupg => "end it, or wait until it is done".to_owned(),
            (Some(_), Some(login)) => format!("let it go, as {login}, with: gpgconf --kill scdaemon"),
            _ => "if it is GnuPG, let it go with: gpgconf --kill scdaemon".to_owned(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.program {
            Some(program) if program.is_gnupg => write!(f, "GnuPG (scdaemon, process {})", program.pid)?,
            Some(program) => write!(f, "the program {} (process {})", program.name, program.pid)?,
            None if self.login.is_some() => f.write_str("a program")?,
            None => return f.write_str("another program"),
        }
        self.login.as_ref().map_or(Ok(()), |login| write!(f, " of {login}"))
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
                return Err(CardError::InUse(search.holder));
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

/// What is known so far.
struct Search<'a> {
    errands: &'a Errands,
    card: Option<CardIdent>,
    /// To be visited, when the visitor that is there now has left.
    pending: Vec<Suspect>,
    /// Somebody is visited.
    is_out: bool,
    say: Sender<(u32, Word)>,
    words: Receiver<(u32, Word)>,
    holder: Holder,
    /// The user whose scdaemon has the card, and how often it was asked.
    asked: Option<(u32, u32)>,
    /// It said that it let go: if it is seen with the card after this, it took it again.
    let_go: Option<Instant>,
}

impl<'a> Search<'a> {
    fn begin(errands: &'a Errands, card: Option<CardIdent>) -> Self {
        let suspects = sockets::suspects(PCSCD.as_ref()).unwrap_or_default();
        let (say, words) = channel();
        let holder = match suspects.as_slice() {
            [only] => Holder { program: None, login: login_of(only.uid) },
            _ => Holder::default(),
        };
        let mut search = Self {
            errands,
            card,
            pending: suspects,
            is_out: false,
            say,
            words,
            holder,
            asked: None,
            let_go: None,
        };
        search.send();
        search
    }

    fn send(&mut self) {
        let (errands, card, say, is_out) = (self.errands, self.card, &self.say, &mut self.is_out);
        self.pending.retain(|suspect| {
            let sent = errands.start(suspect, card, say);
            *is_out |= sent == Sent::Now;
            sent == Sent::Later
        });
    }

    const fn has_asked(&self) -> bool {
        self.asked.is_some()
    }

    fn listen(&mut self, time: Duration) {
        self.send();
        let until = Instant::now() + time;
        while let Ok((uid, word)) = self.words.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.hear(uid, word);
        }
        if self.let_go.is_some_and(|at| at.elapsed() >= UNNOTICED) {
            self.ask_again();
        }
    }

    /// A scdaemon may let go faster than its visitor is heard.
    fn hear_the_last(&mut self) {
        if self.is_out && !self.has_asked() {
            self.pending.clear();
            self.listen(WORD);
        }
    }

    fn hear(&mut self, uid: u32, word: Word) {
        match word {
            Word::Has { pid } => {
                let times = self.asked.filter(|(who, _)| *who == uid).map_or(0, |(_, times)| times);
                self.asked = Some((uid, times + 1));
                let program = Program { name: "scdaemon".to_owned(), pid, is_gnupg: true };
                self.holder = Holder { program: Some(program), login: login_of(uid) };
            }
            Word::LetGo => self.let_go = Some(Instant::now()),
            // Talking to pcscd is not having the card: one that has it for certain is not forgotten for it.
            Word::Program { pid, name } if self.asked.is_none() => {
                let is_gnupg = name == "scdaemon";
                let program = Program { name, pid, is_gnupg };
                self.holder = Holder { program: Some(program), login: login_of(uid) };
            }
            Word::Program { .. } => {}
        }
    }

    fn ask_again(&mut self) {
        self.let_go = None;
        let Some((uid, _)) = self.asked.filter(|(_, times)| *times < ASKED) else { return };
        let suspects = sockets::suspects(PCSCD.as_ref()).unwrap_or_default();
        self.pending.extend(suspects.into_iter().filter(|suspect| suspect.uid == uid));
    }

    fn question(&self, name: &str) -> String {
        let holder = capital(&self.holder.to_string());
        if self.has_asked() {
            format!("{holder} has {name} for itself. It is asked to let go.")
        } else {
            format!("{holder} has {name} for itself. Waiting until it lets go.")
        }
    }

    fn thanks(&self, name: &str) -> String {
        let holder = capital(&self.holder.to_string());
        if self.has_asked() {
            format!("{holder} let go of {name} when asked, and has it again when it is next used.")
        } else {
            format!("{holder} let go of {name}.")
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), chars.as_str()))
}

fn login_of(uid: u32) -> Option<String> {
    let found = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    found.map(|user| user.name)
}

#[cfg(test)]
mod tests;
