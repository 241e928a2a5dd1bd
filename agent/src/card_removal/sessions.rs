//! Which session was opened with which card. On disk as well: an agent that is started anew goes on watching.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use countersign_protocol::ids::{AccountName, CardIdent, CorrelationId, LoginName, ServiceName};
use serde::{Deserialize, Serialize};

use crate::peer::Peer;
use crate::state::{StateDir, StateError};

/// The file.
const FILE: &str = "card-sessions.json";

/// Changes with every start of the kernel.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Sessions watched at once: more than sit at one machine.
const MOST: usize = 256;

/// Logins remembered until their session begins, and for how long.
const LOGINS: usize = 64;
const SOON: Duration = Duration::from_secs(300);

/// A session that a card opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardSession {
    /// Of the login.
    pub correlation: CorrelationId,
    /// The card.
    pub card: CardIdent,
    /// Whose.
    pub account: AccountName,
    /// The login name.
    pub login: LoginName,
    /// That user's number, as the host's databases said then.
    pub uid: u32,
    /// The PAM service.
    pub service: ServiceName,
    /// The process that opened it, which logind calls its leader.
    pub leader: i32,
    /// When that process started, in clock ticks since boot.
    pub started: u64,
}

/// What the card was that opened a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByCard {
    /// The login.
    pub correlation: CorrelationId,
    /// Its card.
    pub card: CardIdent,
    /// Whose.
    pub account: AccountName,
}

/// All of them.
pub struct CardSessions {
    state: StateDir,
    boot: String,
    granted: Mutex<VecDeque<(Instant, ByCard)>>,
    watched: Mutex<Vec<CardSession>>,
    trouble: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    boot: String,
    sessions: Vec<CardSession>,
}

impl CardSessions {
    /// Those of this boot that were kept. A damaged file is set aside: the sessions go on, unwatched.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load(state: StateDir) -> Result<Self, StateError> {
        let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        let (kept, trouble) = state.read_or_set_aside::<Kept>(FILE)?;
        let kept = kept.filter(|kept| kept.boot == boot && !boot.is_empty());
        let watched = Mutex::new(kept.map(|kept| kept.sessions).unwrap_or_default());
        Ok(Self { state, boot, granted: Mutex::default(), watched, trouble })
    }

    /// What was wrong with the file at the start.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// A login was granted to this card.
    pub fn granted(&self, by: ByCard) {
        let mut granted = lock(&self.granted);
        if granted.len() >= LOGINS {
            granted.pop_front();
        }
        granted.push_back((Instant::now(), by));
    }

    /// The session of that login begins, in this process of root's. Says whether it is watched now.
    ///
    /// # Errors
    /// It cannot be written: then it is watched until the agent ends.
    pub fn opened(
        &self,
        peer: &Peer,
        correlation: &CorrelationId,
        login: &LoginName,
        service: &ServiceName,
    ) -> Result<bool, StateError> {
        let by = {
            let mut granted = lock(&self.granted);
            granted.retain(|(at, _)| at.elapsed() < SOON);
            granted
                .iter()
                .position(|(_, by)| by.correlation == *correlation)
                .and_then(|at| granted.remove(at))
        };
        let user = nix::unistd::User::from_name(login.as_str()).ok().flatten();
        let (Some((_, by)), Some(user)) = (by, user) else { return Ok(false) };
        let mut watched = lock(&self.watched);
        if watched.len() >= MOST {
            watched.remove(0);
        }
        watched.push(CardSession {
            correlation: by.correlation,
            card: by.card,
            account: by.account,
            login: login.clone(),
            uid: user.uid.as_raw(),
            service: service.clone(),
            leader: peer.pid,
            started: peer.started,
        });
        self.keep(&watched).map(|()| true)
    }

    /// A session ended.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn closed(&self, correlation: &CorrelationId) -> Result<(), StateError> {
        self.retain(|session| session.correlation != *correlation)
    }

    /// Those whose process is still there.
    ///
    /// # Errors
    /// It cannot be written that others are not.
    pub(super) fn living(&self) -> Result<Vec<CardSession>, StateError> {
        self.retain(|session| session.process().is_still_there())?;
        Ok(lock(&self.watched).clone())
    }

    fn retain(&self, stays: impl Fn(&CardSession) -> bool) -> Result<(), StateError> {
        let mut watched = lock(&self.watched);
        let before = watched.len();
        watched.retain(stays);
        if watched.len() == before { Ok(()) } else { self.keep(&watched) }
    }

    fn keep(&self, sessions: &[CardSession]) -> Result<(), StateError> {
        self.state.write(FILE, &Kept { boot: self.boot.clone(), sessions: sessions.to_vec() })
    }
}

impl CardSession {
    pub(super) const fn process(&self) -> Peer {
        Peer { uid: 0, gid: 0, pid: self.leader, started: self.started }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn myself() -> Peer {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        Peer::of(&one).unwrap()
    }

    fn by(correlation: &str) -> ByCard {
        ByCard {
            correlation: correlation.parse().unwrap(),
            card: CardIdent::new(6, 0x1234),
            account: "ana".parse().unwrap(),
        }
    }

    #[test]
    fn a_session_is_watched_if_its_login_was_by_card_and_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(&folder.path().join("state")).unwrap();
        let sessions = CardSessions::load(state.clone()).unwrap();
        let opened = |sessions: &CardSessions, correlation: &str| {
            let (login, service) = ("root".parse().unwrap(), "login".parse().unwrap());
            sessions.opened(&myself(), &correlation.parse().unwrap(), &login, &service).unwrap()
        };
        assert!(!opened(&sessions, "7K3M-Q2ZD"), "no card opened it");
        sessions.granted(by("7K3M-Q2ZD"));
        assert!(!opened(&sessions, "8K3M-Q2ZD"), "another login");
        assert!(opened(&sessions, "7K3M-Q2ZD"));
        assert!(!opened(&sessions, "7K3M-Q2ZD"), "it has its session");

        // The agent is started anew.
        let again = CardSessions::load(state.clone()).unwrap();
        let [watched] = again.living().unwrap().try_into().unwrap();
        assert_eq!((watched.card, watched.uid, watched.leader), (CardIdent::new(6, 0x1234), 0, myself().pid));
        again.closed(&"8K3M-Q2ZD".parse().unwrap()).unwrap();
        assert_eq!(again.living().unwrap().len(), 1);
        again.closed(&"7K3M-Q2ZD".parse().unwrap()).unwrap();
        assert!(CardSessions::load(state).unwrap().living().unwrap().is_empty());
    }

    #[test]
    fn sessions_of_another_boot_or_of_a_process_that_ended_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(&folder.path().join("state")).unwrap();
        let sessions = CardSessions::load(state.clone()).unwrap();
        sessions.granted(by("7K3M-Q2ZD"));
        let ended = Peer { started: 1, ..myself() };
        let names = ("root".parse().unwrap(), "login".parse().unwrap());
        assert!(sessions.opened(&ended, &"7K3M-Q2ZD".parse().unwrap(), &names.0, &names.1).unwrap());
        let mut kept: Kept = state.read(FILE).unwrap().unwrap();
        assert!(sessions.living().unwrap().is_empty());
        kept.boot = "another".to_owned();
        state.write(FILE, &kept).unwrap();
        assert!(lock(&CardSessions::load(state).unwrap().watched).is_empty());
    }
}
