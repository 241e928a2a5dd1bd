//! "I am here; what is new?" – the roster, the instance's state, and whether the ledger is still the same.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{LoginName, VersionName};
use countersign_protocol::ledger::{Checkpoint, LedgerError, check_consistency};
use countersign_protocol::limits;
use countersign_protocol::managed::{self, Managed};
use countersign_protocol::message::{CheckIn, CheckInReply, InstanceState, Watch};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::rosters::Rosters;
use crate::server_link::{Link, Means};
use crate::services::Services;
use crate::state::{StateDir, StateError};
use crate::wanted::Wanted;
use crate::wire::LinkError;

/// The file.
const CONTACT: &str = "check-in.json";

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
    /// When the newest roster that was ever held was made: an older one is none.
    #[serde(default)]
    pub roster_issued: Option<Timestamp>,
    /// When the last check-in was answered, in the server's time.
    pub at: Option<Timestamp>,
    /// The ledger did not continue what was seen before. Stays until root accepts the one that there is: `countersign
    /// host accept-ledger`.
    pub alarm: Option<String>,
    /// Two hosts were seen with this one's key: no other key, no administration and no logins without the server from
    /// here until an administrator decides.
    #[serde(default)]
    pub forked: bool,
    /// The developer of this host's application retired the version that runs here.
    #[serde(default)]
    pub version_retired: bool,
    /// The server's last word to this host was a signed refusal. It lets nobody in by itself until there is another.
    #[serde(default)]
    pub refused: bool,
    /// Earlier versions kept the roster here, without its signature.
    #[serde(default, rename = "roster", skip_serializing)]
    #[expect(dead_code, reason = "read past and never used")]
    unsigned_roster: IgnoredAny,
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
            roster_issued: None,
            at: None,
            alarm: None,
            forked: false,
            version_retired: false,
            refused: false,
            unsigned_roster: IgnoredAny,
        }
    }

    /// Whether the last check-in was answered at most `life` seconds ago.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp, life: i64) -> bool {
        // One from the future was answered while the server's clock was wrong: nobody knows how old it is.
        self.at.is_some_and(|at| (-limits::CLOCK_SKEW..=life).contains(&now.seconds_since(at)))
    }
}

/// The contact, in memory and on disk, and what goes with it.
pub struct Contacts {
    state: StateDir,
    managed: std::path::PathBuf,
    /// The roster, as the server signed it.
    pub rosters: Rosters,
    /// The PAM services of this host.
    pub services: Services,
    /// Login names to be asked about first.
    wanted: Wanted,
    /// How many that need a card here are not in the roster.
    left_out: AtomicUsize,
    /// Held to look or to replace, and while the small file is written.
    now: Mutex<Option<Arc<Contact>>>,
    /// What to ask in order to hear of the next change.
    watched: Mutex<Option<Watch>>,
}

impl Contacts {
    /// What was kept.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn load(state: StateDir, managed: &Path) -> Result<Self, StateError> {
        let now = state.read(CONTACT)?.map(Arc::new);
        Ok(Self {
            managed: managed.to_owned(),
            rosters: Rosters::new(state.clone()),
            services: Services::load(state.clone())?,
            wanted: Wanted::load(state.clone())?,
            left_out: AtomicUsize::new(0),
            state,
            now: Mutex::new(now),
            watched: Mutex::default(),
        })
    }

    /// The newest.
    #[must_use]
    pub fn get(&self) -> Option<Arc<Contact>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What to ask in order to hear of the next change; none before the first check-in since the start.
    #[must_use]
    pub fn watched(&self) -> Option<Watch> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

    /// How many login names need a card here and are not in the roster, as of the last check-in: there are too many.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Somebody wants to log in by this name, or try to. If it is not in the roster, the next check-in asks about it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn wants(&self, login: &LoginName) -> Result<(), LinkError> {
        let named = self.rosters.get().is_some_and(|held| held.verified.entry(login).is_some());
        if !named {
            self.wanted.note(login)?;
        }
        Ok(())
    }

    /// Those of the managed names that the newest roster does not have, although this host may work.
    fn count_left_out(&self, managed: &[LoginName], state: InstanceState) {
        let held = self.rosters.get().filter(|_| state == InstanceState::Active);
        let left_out = held.map_or(0, |held| {
            let named: BTreeSet<_> =
                held.verified.roster().entries.iter().map(|entry| &entry.login).collect();
            managed.iter().filter(|login| !named.contains(login)).count()
        });
        self.left_out.store(left_out, Ordering::Relaxed);
    }

    /// Changes when the file of managed users does.
    #[must_use]
    pub fn managed_mark(&self) -> Option<(u64, i64, i64)> {
        let metadata = std::fs::metadata(&self.managed).ok()?;
        Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
    }

    /// Takes the next counter, on disk before it is on the wire: a copy of this host would say the same number twice.
    ///
    /// # Errors
    /// It cannot be written; then it must not be sent.
    pub fn count(&self) -> Result<Contact, StateError> {
        let mut contact = self.get().map_or_else(|| Contact::new(InstanceState::Pending), |c| (*c).clone());
        contact.counter += 1;
        self.set(contact.clone())?;
        Ok(contact)
    }

    /// Checks in. One at a time: only the keeper's thread calls this.
    ///
    /// # Errors
    /// [`LinkError`]. A ledger that was rolled back or rewritten is [`LinkError::Untrusted`] and an alarm.
    pub fn check_in(&self, link: &Link, means: Means<'_>) -> Result<(), LinkError> {
        let mut contact = self.count()?;

        let seen = contact.checkpoint.as_deref().map(|note| link.instance.ledger_key.checkpoint(note));
        let seen = seen.transpose()?;
        let ledger_size = seen.as_ref().map_or(0, countersign_protocol::ledger::Checkpoint::size);
        let managed = managed_logins(&self.managed)?;
        let logins = self.wanted.first_of(&managed);
        let services = self.services.all();
        let body = CheckIn {
            server_certificate: Some(link.server.digest()),
            counter: contact.counter,
            ledger_size,
            logins: logins.clone(),
            services: services.clone(),
            version: own_version(),
        };
        let exchange = link.ask_once(means, &body, None)?;
        let reply: CheckInReply = exchange.reply.body()?;

        if let Some(certificate) = &reply.server_certificate {
            // The server's word alone is not enough: its primary key, which lies elsewhere, must have vouched for it.
            link.server.told(&certificate.0, means.wire.time.now()).map_err(|error| {
                LinkError::Untrusted(format!("its new certificate is not taken: {error}"))
            })?;
        }
        link.server.keep(&self.state)?;
        let newest = link.instance.ledger_key.checkpoint(&reply.checkpoint)?;
        if let Some(seen) = seen
            && let Err(error) = check_consistency(seen.size(), seen.root(), &newest, &reply.consistency)
        {
            return Err(self.raise(contact, &error));
        }
        contact.checkpoint = Some(reply.checkpoint);
        contact.state = reply.state;
        contact.policy_epoch = reply.policy_epoch;
        contact.forked = reply.forked;
        contact.version_retired = reply.version_retired;
        contact.refused = false;
        contact.at = Some(exchange.reply.message().time);
        let taken = self.rosters.accept(reply.roster, link.into(), means.wire.time.now());
        if let Ok(issued) = &taken {
            contact.roster_issued = Some(*issued);
        }
        let state = contact.state;
        self.set(contact)?;
        taken?;
        self.count_left_out(&managed, state);
        let watch = Watch { revision: reply.revision, logins, services };
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
        Ok(())
    }

    /// Asks for the ledger as it is, whatever was seen before.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn look_at_ledger(&self, link: &Link, means: Means<'_>) -> Result<Checkpoint, LinkError> {
        let body = CheckIn {
            server_certificate: Some(link.server.digest()),
            counter: self.count()?.counter,
            ledger_size: 0,
            logins: managed_logins(&self.managed)?,
            services: self.services.all(),
            version: own_version(),
        };
        let reply: CheckInReply = link.ask_once(means, &body, None)?.reply.body()?;
        Ok(link.instance.ledger_key.checkpoint(&reply.checkpoint)?)
    }

    /// Takes the ledger of this checkpoint for the one that must go on from now on.
    ///
    /// # Errors
    /// It cannot be written; the alarm stays then.
    pub fn accept_ledger(&self, checkpoint: String) -> Result<(), StateError> {
        match self.get() {
            Some(contact) => {
                self.set(Contact { checkpoint: Some(checkpoint), alarm: None, ..(*contact).clone() })
            }
            None => Ok(()),
        }
    }

    /// The server refused what only this host can have sent, and it was not the clock: until it says otherwise,
    /// nobody is let in without it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn refused(&self) -> Result<(), StateError> {
        match self.get() {
            Some(contact) if !contact.refused => self.set(Contact { refused: true, ..(*contact).clone() }),
            _ => Ok(()),
        }
    }

    fn raise(&self, mut contact: Contact, error: &LedgerError) -> LinkError {
        contact.alarm = Some(error.to_string());
        match self.set(contact) {
            Ok(()) => LinkError::Untrusted(error.to_string()),
            Err(error) => error.into(),
        }
    }
}

/// What runs here, in the words of its developer.
#[must_use]
pub fn own_version() -> Option<VersionName> {
    env!("CARGO_PKG_VERSION").parse().ok()
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
    fn an_answer_is_fresh_neither_too_late_nor_before_it_came() {
        const LIFE: i64 = 60;
        let mut contact = Contact::new(InstanceState::Active);
        let now = Timestamp::from_seconds(1_790_000_000);
        assert!(!contact.is_fresh(now, LIFE));
        for (age, fresh) in [(0, true), (LIFE, true), (LIFE + 1, false), (-120, true), (-121, false)] {
            contact.at = Some(now.plus(-age));
            assert_eq!(contact.is_fresh(now, LIFE), fresh, "{age}");
        }
    }

    #[test]
    fn a_contact_of_the_first_version_is_taken_over_without_its_unsigned_roster() {
        let old = r#"{"counter":7,"checkpoint":null,"state":"active","policy_epoch":3,
            "roster":[{"login":"ana","accounts":[]}],"at":"2026-11-22T17:30:00Z","alarm":null}"#;
        let contact: Contact = serde_json::from_str(old).unwrap();
        assert_eq!((contact.counter, contact.roster_issued, contact.refused), (7, None, false));
        assert!(!serde_json::to_string(&contact).unwrap().contains("ana"));
    }
}
