//! A login with a card that stands for the next ones: the same login and service, in the same terminal, for minutes.
//! Off unless root's file says so. Nothing of it is on disk: an agent that is started anew knows of none.

mod caller;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::VerifiedRoster;
use countersign_protocol::ids::{CardIdent, CorrelationId, Digest, LoginName, ServiceName};
use countersign_protocol::roster::RosterAccount;

pub use self::caller::Caller;
use crate::peer::Peer;
use crate::seat::{Origin, World};

/// Consents kept at once.
const MOST: usize = 256;

/// Services whose sessions come and go while nobody does anything.
const UNATTENDED: [&str; 3] = ["cron", "crond", "atd"];

/// What one login with a card consented to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The login name.
    pub login: LoginName,
    /// The PAM service.
    pub service: ServiceName,
    /// In whose hands, by the kernel's word.
    pub caller: Caller,
    /// The card.
    pub card: CardIdent,
    /// The insertion that it was in, and still must be.
    pub insertion: u64,
    /// Whose, as the roster had it.
    pub account: RosterAccount,
    /// Of the policy that the server decided by.
    pub epoch: u64,
    /// Where the server's decision lies in the ledger.
    pub ledger_index: u64,
    /// SHA-256 of the statement that the card signed.
    pub statement: Digest,
    /// Of that login.
    pub correlation: CorrelationId,
    /// When, since this machine was started.
    pub up: Duration,
    /// When, for people.
    pub at: Timestamp,
}

/// A login that has no card of its own yet.
pub struct Asked<'a> {
    /// The login name.
    pub login: &'a LoginName,
    /// The PAM service.
    pub service: &'a ServiceName,
    /// Who asks, by the kernel's word.
    pub caller: &'a Caller,
    /// How long this machine is up, sleep included. No clock that can be set counts.
    pub up: Duration,
    /// How long a consent stands.
    pub life: Duration,
}

/// A session that ended.
pub struct Ended<'a> {
    /// Whose.
    pub login: &'a LoginName,
    /// The PAM service that ended it.
    pub service: &'a ServiceName,
    /// Whether consents count for that service: each of its commands is a session.
    pub by_covered: bool,
}

/// What is known about everything else, now.
pub struct Now<'a> {
    /// The roster that the server stood by a moment ago.
    pub roster: &'a VerifiedRoster,
    /// The server's time.
    pub time: Timestamp,
    /// The card's insertion.
    pub insertion: Option<u64>,
}

/// All that stand.
#[derive(Debug, Default)]
pub struct Consents(Mutex<Vec<Consent>>);

impl Consents {
    /// A card opened a login just now. Takes the place of what the same hands consented to before.
    pub fn given(&self, consent: Consent) {
        let mut all = self.lock();
        all.retain(|one| {
            one.login != consent.login || one.service != consent.service || one.caller != consent.caller
        });
        if all.len() >= MOST {
            all.remove(0);
        }
        all.push(consent);
    }

    /// The one that may stand for this login, if [`Consent::stands`] as well.
    #[must_use]
    pub fn find(&self, asked: &Asked<'_>) -> Option<Consent> {
        let mut all = self.lock();
        all.retain(|one| one.is_young(asked.up, asked.life));
        let is_it = |one: &&Consent| {
            one.login == *asked.login && one.service == *asked.service && one.caller == *asked.caller
        };
        all.iter().find(is_it).cloned()
    }

    /// This login was denied, or nobody heard that it was not: what it consented to before is over.
    pub fn forget(&self, login: &LoginName) {
        self.lock().retain(|one| one.login != *login);
    }

    /// The login of this id came to nobody.
    pub fn forget_one(&self, correlation: &CorrelationId) {
        self.lock().retain(|one| one.correlation != *correlation);
    }

    /// A program ended a session of this login that it had opened: what was consented to in it, or beneath this program,
    /// is over. So is what was consented to in a terminal that the login's own systemd started, as desktops have them:
    /// which session those belong to cannot be told. sudo itself has a session for each command; the end of one of
    /// those ends nothing.
    pub fn session_closed(&self, world: &dyn World, peer: &Peer, ended: &Ended<'_>) {
        let origin = world.origin(peer.pid).filter(|_| !ended.by_covered);
        let is_persons = !ended.by_covered && !UNATTENDED.contains(&ended.service.as_str());
        let in_it = |one: &Consent| match &origin {
            Some(Origin::Session(_)) => one.caller.is_of(origin.as_ref()),
            _ => false,
        };
        let in_some = |one: &Consent| is_persons && one.login == *ended.login && one.caller.is_of_systemd();
        self.lock().retain(|one| !(in_it(one) || in_some(one) || one.caller.is_led_by(peer)));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Consent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Consent {
    fn is_young(&self, up: Duration, life: Duration) -> bool {
        up.checked_sub(self.up).is_some_and(|age| age < life)
    }

    /// Whether everything is as it was when the card opened the login.
    #[must_use]
    pub fn stands(&self, now: &Now<'_>) -> bool {
        now.insertion == Some(self.insertion)
            && now.roster.roster().policy_epoch == self.epoch
            && now.roster.unasked(&self.login, &self.service, now.time).any(|one| *one == self.account)
    }
}

/// How long this machine is up, sleep included.
#[must_use]
pub fn up() -> Duration {
    use nix::time::{ClockId, clock_gettime};

    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests;
