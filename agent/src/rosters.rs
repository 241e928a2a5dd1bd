//! The roster that this host holds: as the server signed it, on disk and in memory, and never an older one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::{RosterError, VerifiedRoster, open_roster};
use countersign_protocol::ids::{Digest, Fingerprint};
use countersign_protocol::limits;
use countersign_protocol::roster::SignedRoster;

use crate::server::Server;
use crate::server_link::Link;
use crate::state::{StateDir, StateError};
use crate::wire::LinkError;

/// The file.
const FILE: &str = "roster.json";

/// A roster, and the signed bytes that it was read from.
#[derive(Debug)]
pub struct Held {
    /// What it says.
    pub verified: VerifiedRoster,
    /// As the server signed it.
    pub signed: SignedRoster,
}

/// A roster was not taken, or the one on disk is none.
#[derive(Debug, thiserror::Error)]
pub enum RosterTrouble {
    /// The file.
    #[error(transparent)]
    State(#[from] StateError),
    /// It proves nothing.
    #[error(transparent)]
    Proof(#[from] RosterError),
    /// A newer one was there already.
    #[error("the roster was made at {0}, and one of {1} is held")]
    Older(Timestamp, Timestamp),
}

impl From<RosterTrouble> for LinkError {
    fn from(trouble: RosterTrouble) -> Self {
        match trouble {
            RosterTrouble::State(error) => error.into(),
            other => Self::Untrusted(other.to_string()),
        }
    }
}

/// Who must have signed a roster, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Parties<'a> {
    /// The pinned server.
    pub server: &'a Server,
    /// This host.
    pub instance: &'a Fingerprint,
}

impl<'a> From<&'a Link> for Parties<'a> {
    fn from(link: &'a Link) -> Self {
        Self { server: &link.server, instance: &link.instance.fingerprint }
    }
}

/// The roster, in memory and on disk.
pub struct Rosters {
    state: StateDir,
    held: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    roster: Option<Arc<Held>>,
    /// When the newest that was ever held was made, as far as is remembered.
    newest: Option<Timestamp>,
}

impl Rosters {
    /// Nothing is held yet.
    #[must_use]
    pub fn new(state: StateDir) -> Self {
        Self { state, held: Mutex::default() }
    }

    /// Takes up what is on disk, if it is the server's, for this host, and not older than `newest`.
    ///
    /// # Errors
    /// [`RosterTrouble`]: then none is held until the server sends one.
    pub fn load(
        &self,
        parties: Parties<'_>,
        newest: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), RosterTrouble> {
        let mut held = self.lock();
        held.newest = newest;
        let Some(signed) = self.state.read::<SignedRoster>(FILE)? else { return Ok(()) };
        let verified = verify(&signed, parties, now)?;
        let issued = verified.roster().issued;
        if let Some(newest) = newest.filter(|newest| issued < *newest) {
            return Err(RosterTrouble::Older(issued, newest));
        }
        held.newest = Some(issued);
        held.roster = Some(Arc::new(Held { verified, signed }));
        Ok(())
    }

    /// The one that is held, expired or not.
    #[must_use]
    pub fn get(&self) -> Option<Arc<Held>> {
        self.lock().roster.clone()
    }

    /// Its name.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.get().map(|held| held.verified.digest())
    }

    /// Holds another one, on disk first; says when it was made.
    ///
    /// # Errors
    /// [`RosterTrouble`]; the old one stays.
    pub fn accept(
        &self,
        signed: SignedRoster,
        parties: Parties<'_>,
        now: Timestamp,
    ) -> Result<Timestamp, RosterTrouble> {
        let verified = verify(&signed, parties, now)?;
        let issued = verified.roster().issued;
        let mut held = self.lock();
        // One from the future came while the server's clock was wrong: it is worth nothing, and holds up no other.
        let newest = held.newest.filter(|newest| newest.seconds_since(now) <= limits::CLOCK_SKEW);
        if let Some(newest) = newest.filter(|newest| issued < *newest) {
            return Err(RosterTrouble::Older(issued, newest));
        }
        self.state.write(FILE, &signed)?;
        *held = Slot { roster: Some(Arc::new(Held { verified, signed })), newest: Some(issued) };
        Ok(issued)
    }

    /// Holds none: this host has another name now. How new the next one must be stays known.
    ///
    /// # Errors
    /// The file is still there.
    pub fn forget(&self) -> Result<(), StateError> {
        let mut held = self.lock();
        self.state.remove(FILE)?;
        held.roster = None;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        // What is held is replaced whole: a panic leaves nothing half done.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn verify(
    signed: &SignedRoster,
    parties: Parties<'_>,
    now: Timestamp,
) -> Result<VerifiedRoster, RosterError> {
    open_roster(signed, &parties.server.certificate(), parties.instance, now)
}

#[cfg(test)]
mod tests;
