//! What is known so far of who has a card, and who is visited about it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use countersign_protocol::ids::CardIdent;

use super::errand::{Errands, News, Sent};
use super::sockets::{self, Suspect};
use super::visit::Word;
use super::{Candidate, Holder, Program, SCDAEMON, UNNOTICED};

/// pcscd's socket, as its own library has it.
const PCSCD: &str = "/run/pcscd/pcscd.comm";

/// How long a word takes to be heard.
const WORD: Duration = Duration::from_millis(100);

/// How often a user's scdaemon is asked for one request: GnuPG may take the card again in between.
const ASKED: u32 = 3;

pub(super) struct Search<'a> {
    errands: &'a Errands,
    card: Option<CardIdent>,
    /// To be visited, when the visitor that is there now has left.
    pending: Vec<Suspect>,
    /// Somebody is visited.
    is_out: bool,
    say: Sender<(u32, News)>,
    words: Receiver<(u32, News)>,
    /// Who talks to pcscd, with the programs that they were seen to do it with.
    users: Vec<User>,
    asked: Option<Asked>,
}

struct User {
    uid: u32,
    login: String,
    programs: Vec<Program>,
}

/// A scdaemon that says itself that it has the card.
struct Asked {
    uid: u32,
    pid: i32,
    times: u32,
    /// It said that it let go: if it is seen with the card after this, it took it again.
    let_go: Option<Instant>,
}

impl<'a> Search<'a> {
    pub(super) fn begin(errands: &'a Errands, card: Option<CardIdent>) -> Self {
        let pending = sockets::suspects(PCSCD.as_ref()).unwrap_or_default();
        let users = pending.iter().map(|suspect| User::new(suspect.uid)).collect();
        let (say, words) = channel();
        let mut search = Self { errands, card, pending, is_out: false, say, words, users, asked: None };
        search.send();
        search
    }

    fn send(&mut self) {
        let (errands, card, say) = (self.errands, self.card, &self.say);
        let (is_out, users) = (&mut self.is_out, &mut self.users);
        self.pending.retain(|suspect| match errands.start(suspect, card, say) {
            Sent::Now => {
                *is_out = true;
                false
            }
            Sent::Later(login) => {
                is_called(users, suspect.uid, login);
                true
            }
            Sent::Never => false,
        });
    }

    /// Whether one who certainly has the card is asked to let go.
    pub(super) const fn has_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Hears visitors for so long.
    pub(super) fn listen(&mut self, time: Duration) {
        self.send();
        let until = Instant::now() + time;
        while let Ok((uid, news)) = self.words.recv_timeout(until.saturating_duration_since(Instant::now())) {
            match news {
                News::Login(login) => is_called(&mut self.users, uid, Some(login)),
                News::Word(word) => self.hear(uid, word),
            }
        }
        self.ask_again();
    }

    /// A scdaemon may let go faster than its visitor is heard.
    pub(super) fn hear_the_last(&mut self) {
        if self.is_out && !self.has_asked() {
            self.pending.clear();
            self.listen(WORD);
        }
    }

    fn hear(&mut self, uid: u32, word: Word) {
        match (word, &mut self.asked) {
            (Word::Has { pid }, asked) => {
                let times = asked.as_ref().filter(|asked| asked.uid == uid).map_or(0, |asked| asked.times);
                *asked = Some(Asked { uid, pid, times: times + 1, let_go: None });
            }
            (Word::LetGo, Some(asked)) => asked.let_go = Some(Instant::now()),
            (Word::LetGo, None) => {}
            (Word::Program { pid, name }, _) => {
                let user = self.users.iter_mut().find(|user| user.uid == uid);
                if let Some(user) = user
                    && !user.programs.iter().any(|known| known.pid == pid)
                {
                    user.programs.push(Program { name, pid });
                }
            }
        }
    }

    fn ask_again(&mut self) {
        let again = |asked: &&mut Asked| asked.let_go.is_some_and(|at| at.elapsed() >= UNNOTICED);
        let Some(asked) = self.asked.as_mut().filter(again) else { return };
        asked.let_go = None;
        if asked.times < ASKED {
            let suspects = sockets::suspects(PCSCD.as_ref()).unwrap_or_default();
            self.pending.extend(suspects.into_iter().filter(|suspect| suspect.uid == asked.uid));
        }
    }

    /// The one that says so itself; else whoever talks to pcscd.
    pub(super) fn holder(&self) -> Holder {
        if let Some(asked) = &self.asked {
            let login = self.users.iter().find(|user| user.uid == asked.uid).map(|user| user.login.clone());
            let program = Some(Program { name: SCDAEMON.to_owned(), pid: asked.pid });
            return Holder { candidates: vec![Candidate { program, login: login.unwrap_or_default() }] };
        }
        Holder { candidates: self.users.iter().flat_map(User::candidates).collect() }
    }

    pub(super) fn question(&self, name: &str) -> String {
        let what = if self.has_asked() { "It is asked to let go" } else { "Waiting until it lets go" };
        format!("{} has {name}. {what}.", capital(&self.holder().to_string()))
    }

    pub(super) fn thanks(&self, name: &str) -> String {
        let when = if self.has_asked() { " when asked, and has it again when it is next used" } else { "" };
        format!("{} let go of {name}{when}.", capital(&self.holder().to_string()))
    }
}

fn is_called(users: &mut [User], uid: u32, login: Option<String>) {
    if let (Some(login), Some(user)) = (login, users.iter_mut().find(|user| user.uid == uid)) {
        user.login = login;
    }
}

impl User {
    /// Until the name is heard of: databases of people may be far away.
    fn new(uid: u32) -> Self {
        Self { uid, login: format!("user {uid}"), programs: Vec::new() }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let candidate = |program| Candidate { program, login: self.login.clone() };
        if self.programs.is_empty() {
            return vec![candidate(None)];
        }
        self.programs.iter().cloned().map(Some).map(candidate).collect()
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), chars.as_str()))
}
