//! "I am here; what is new?" – the roster, the instance's state, and whether the ledger is still the same.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::open_roster;
use countersign_protocol::ids::LoginName;
use countersign_protocol::ledger::{LedgerError, check_consistency};
use countersign_protocol::limits;
use countersign_protocol::managed::{self, Managed};
use countersign_protocol::message::{CheckIn, CheckInReply, InstanceState};
use countersign_protocol::roster::RosterEntry;
use serde::{Deserialize, Serialize};

use crate::server_link::{Link, Means};
use crate::state::{StateDir, StateError};
use crate::wire::LinkError;

/// The file.
const CONTACT: &str = "check-in.json";

/// How long a roster is worth anything, in seconds.
pub const ROSTER_LIFE: i64 = 24 * 3600;

/// What the last check-ins brought.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Of the last check-in that was begun (W25).
    pub counter: u64,
    /// The newest checkpoint seen, if any.
    pub checkpoint: Option<String>,
    /// May this host work?
    pub state: InstanceState,
    /// Of the policy in force.
    pub policy_epoch: u64,
    /// Whose cards open what.
    pub roster: Vec<RosterEntry>,
    /// When the roster came, in the server's time.
    pub at: Option<Timestamp>,
    /// The ledger did not continue what was seen before. Stays until the host is enrolled again.
    pub alarm: Option<String>,
}

impl Contact {
    /// Of a host that was enrolled a moment ago.
    #[must_use]
    pub const fn new(state: InstanceState) -> Self {
        Self {
            counter: 0,
            checkpoint: None,
            state,
            policy_epoch: 0,
            roster: Vec::new(),
            at: None,
            alarm: None,
        }
    }

    /// The roster's entry for this login name, unless the roster is too old.
    #[must_use]
    pub fn entry(&self, login: &LoginName, now: Timestamp) -> Option<&RosterEntry> {
        self.is_fresh(now, ROSTER_LIFE).then(|| self.roster.iter().find(|entry| entry.login == *login))?
    }

    /// Whether the roster is at most `life` seconds old.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp, life: i64) -> bool {
        // One from the future came while the server's clock was wrong: nobody knows how old it is.
        self.at.is_some_and(|at| (-limits::CLOCK_SKEW..=life).contains(&now.seconds_since(at)))
    }
}

/// The contact, in memory and on disk.
pub struct Contacts {
    state: StateDir,
    managed: std::path::PathBuf,
    /// Held to look or to replace, and while the small file is written.
    now: Mutex<Option<Arc<Contact>>>,
}

impl Contacts {
    /// What was kept.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn load(state: StateDir, managed: &Path) -> Result<Self, StateError> {
        let now = state.read(CONTACT)?.map(Arc::new);
        Ok(Self { state, managed: managed.to_owned(), now: Mutex::new(now) })
    }

    /// The newest.
    #[must_use]
    pub fn get(&self) -> Option<Arc<Contact>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces it, on disk first.
    ///
    /// # Errors
    /// It cannot be written; the old one stays.
    pub fn set(&self, contact: Contact) -> Result<(), StateError> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        self.state.write(CONTACT, &contact)?;
        *now = Some(Arc::new(contact));
        Ok(())
    }

    /// Changes when the file of managed users does.
    #[must_use]
    pub fn managed_mark(&self) -> Option<(u64, i64, i64)> {
        let metadata = std::fs::metadata(&self.managed).ok()?;
        Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
    }

    /// Checks in. One at a time: only the keeper's thread calls this.
    ///
    /// # Errors
    /// [`LinkError`]. A ledger that was rolled back or rewritten is [`LinkError::Untrusted`] and an alarm.
    pub fn check_in(&self, link: &Link, means: Means<'_>) -> Result<(), LinkError> {
        let mut contact = self.get().map_or_else(|| Contact::new(InstanceState::Pending), |c| (*c).clone());
        contact.counter += 1;
        // On disk before it is on the wire: a copy of this host would say the same number twice.
        self.set(contact.clone())?;

        let seen = contact.checkpoint.as_deref().map(|note| link.instance.ledger_key.checkpoint(note));
        let seen = seen.transpose()?;
        let ledger_size = seen.as_ref().map_or(0, countersign_protocol::ledger::Checkpoint::size);
        let logins = managed_logins(&self.managed)?;
        let body = CheckIn { counter: contact.counter, ledger_size, logins, services: Vec::new() };
        let exchange = link.ask_once(means, &body, None)?;
        let reply: CheckInReply = exchange.reply.body()?;

        let at = exchange.reply.message().time;
        let roster = open_roster(&reply.roster, &link.server.certificate, &link.instance.fingerprint, at)
            .map_err(|error| LinkError::Untrusted(error.to_string()))?;

        let newest = link.instance.ledger_key.checkpoint(&reply.checkpoint)?;
        if let Some(seen) = seen
            && let Err(error) = check_consistency(seen.size(), seen.root(), &newest, &reply.consistency)
        {
            return Err(self.raise(contact, &error));
        }
        contact.checkpoint = Some(reply.checkpoint);
        contact.state = reply.state;
        contact.policy_epoch = reply.policy_epoch;
        contact.roster.clone_from(&roster.roster().entries);
        contact.at = Some(at);
        Ok(self.set(contact)?)
    }

    fn raise(&self, mut contact: Contact, error: &LedgerError) -> LinkError {
        contact.alarm = Some(error.to_string());
        match self.set(contact) {
            Ok(()) => LinkError::Untrusted(error.to_string()),
            Err(error) => error.into(),
        }
    }
}

/// The login names that need a card here, from the file that the PAM module reads too.
///
/// # Errors
/// The file cannot be read or understood. One that is not there manages nobody.
pub fn managed_logins(path: &Path) -> Result<Vec<LoginName>, LinkError> {
    let problem = |why: String| LinkError::Internal(format!("{}: {why}", path.display()));
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| problem(error.to_string()))?,
    };
    let metadata = file.metadata().map_err(|error| problem(error.to_string()))?;
    if metadata.uid() != 0 || metadata.mode() & 0o022 != 0 {
        return Err(problem("must belong to root and be writable by nobody else".to_owned()));
    }
    let mut text = String::new();
    file.take(managed::SIZE).read_to_string(&mut text).map_err(|error| problem(error.to_string()))?;
    let managed = Managed::parse(&text).map_err(|error| problem(error.to_string()))?;
    Ok(managed.logins().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roster_is_fresh_neither_too_late_nor_before_it_came() {
        let mut contact = Contact::new(InstanceState::Active);
        let now = Timestamp::from_seconds(1_790_000_000);
        assert!(!contact.is_fresh(now, ROSTER_LIFE));
        for (age, fresh) in
            [(0, true), (ROSTER_LIFE, true), (ROSTER_LIFE + 1, false), (-120, true), (-121, false)]
        {
            contact.at = Some(now.plus(-age));
            assert_eq!(contact.is_fresh(now, ROSTER_LIFE), fresh, "{age}");
        }
    }
}
