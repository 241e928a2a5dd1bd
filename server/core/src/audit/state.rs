//! What is kept from one audit to the next.

use std::collections::{BTreeMap, BTreeSet};

use countersign_protocol::ids::Digest;
use serde::{Deserialize, Serialize};

use crate::secrets::Pepper;
use crate::store::StoreError;

/// What the ledger says of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// [`Standing::digest`](crate::standing::Standing::digest) of how it stands; none if the row is gone.
    pub standing: Option<String>,
    /// The entry that says so.
    pub place: u64,
}

/// What is known of the ledger up to an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The first entry that was not replayed.
    pub next: u64,
    /// Root of the tree of the entries before it.
    pub root: Option<Digest>,
    /// By row.
    pub said: BTreeMap<String, Said>,
    /// What else is kept.
    pub kept: Kept,
    /// The rows that changed since it was read.
    pub(super) changed: BTreeSet<String>,
    /// It was not read, or does not hold: everything is replayed.
    pub(super) anew: bool,
    /// The rows that are stored all the same, where it is anew.
    stored: BTreeMap<String, Said>,
    /// What is stored cannot even be read: all of it is deleted before anything is kept.
    illegible: bool,
    /// Somebody else than this server wrote what is stored.
    pub(super) forged: bool,
    /// The MAC that is stored.
    was: Option<Vec<u8>>,
}

/// What is kept of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Rows that had been edited before a request changed them, until somebody accepts them as they are.
    pub edited: BTreeMap<String, String>,
    /// Of rows that were found edited: what the alarm said, by digest.
    pub alarmed: BTreeMap<String, String>,
    /// When the whole ledger was replayed last, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<i64>,
}

/// What is kept beside the rows, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRow {
    /// The first entry that was not replayed.
    pub next: u64,
    /// The root before it.
    pub root: Digest,
    /// [`Kept`] as JSON.
    pub kept: String,
    /// Over everything.
    pub mac: Vec<u8>,
}

/// Reading what was kept.
pub trait AuditRead {
    /// How far it came, and what was found.
    ///
    /// # Errors
    /// [`StoreError`].
    fn audit_state(&self) -> Result<Option<StateRow>, StoreError>;

    /// All rows, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn audit_said(&self) -> Result<BTreeMap<String, Said>, StoreError>;
}

/// Keeping it.
pub trait AuditStore: AuditRead {
    /// Forgets everything, whatever it is.
    ///
    /// # Errors
    /// [`StoreError`].
    fn forget_audit(&self) -> Result<(), StoreError>;

    /// Forgets a row.
    ///
    /// # Errors
    /// [`StoreError`].
    fn forget_audit_said(&self, row: &str) -> Result<(), StoreError>;

    /// Keeps what the ledger says of a row.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_audit_said(&self, row: &str, said: &Said) -> Result<(), StoreError>;

    /// Keeps how far it came.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_audit_state(&self, next: u64, root: &Digest, alarms: &str, mac: &[u8]) -> Result<(), StoreError>;
}

impl State {
    /// Nothing is known yet.
    pub(super) fn anew() -> Self {
        Self { anew: true, ..Self::default() }
    }

    /// What was kept, if this server kept it. What cannot be read it did not keep: it can be made again, so that nobody stops
    /// an audit by it.
    pub(super) fn kept<R: AuditRead + ?Sized>(store: &R, pepper: &Pepper) -> Result<Self, StoreError> {
        let (row, said) = (legible(store.audit_state())?, legible(store.audit_said())?);
        let was = row.as_ref().and_then(Option::as_ref).map(|row| row.mac.clone());
        let (Some(row), Some(said)) = (row, said) else {
            return Ok(Self { was, illegible: true, forged: true, ..Self::anew() });
        };
        let Some(StateRow { next, root, kept: alarms, mac }) = row else {
            return Ok(Self { forged: !said.is_empty(), stored: said, ..Self::anew() });
        };
        let mut state = Self { next, root: Some(root), said, was, ..Self::default() };
        if state.mac(pepper, &alarms) != mac {
            state.begin_again();
            return Ok(Self { forged: true, ..state });
        }
        match serde_json::from_str(&alarms) {
            Ok(kept) => state.kept = kept,
            // Another version's.
            Err(_) => state.begin_again(),
        }
        Ok(state)
    }

    /// As if nothing had been replayed.
    pub(super) fn begin_again(&mut self) {
        let Self { said, kept, was, stored, illegible, forged, anew, .. } = std::mem::take(self);
        let stored = if anew { stored } else { said };
        *self = Self { kept, stored, was, illegible, forged, ..Self::anew() };
    }

    /// Keeps it: only what is not stored already. Whether it did; another process may have done that since this was read.
    pub(super) fn keep<S: AuditStore + ?Sized>(
        &mut self,
        store: &S,
        pepper: &Pepper,
    ) -> Result<bool, StoreError> {
        if legible(store.audit_state())?.flatten().map(|row| row.mac) != self.was {
            if !self.anew {
                return Ok(false);
            }
            let other = Self::kept(store, pepper)?;
            // Who began to read all of it later saw more.
            if other.kept.whole > self.kept.whole {
                return Ok(false);
            }
            self.stored = if other.anew { other.stored } else { other.said };
            self.illegible = other.illegible;
        }
        if self.illegible {
            store.forget_audit()?;
        }
        if self.anew {
            let other = |(row, said): &(&String, &Said)| self.stored.get(*row) != Some(*said);
            self.changed = self.said.iter().filter(other).map(|(row, _)| row.clone()).collect();
            for row in self.stored.keys().filter(|row| !self.said.contains_key(*row)) {
                store.forget_audit_said(row)?;
            }
        }
        for row in std::mem::take(&mut self.changed) {
            if let Some(said) = self.said.get(&row) {
                store.put_audit_said(&row, said)?;
            }
        }
        let alarms =
            serde_json::to_string(&self.kept).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let root = self.root.unwrap_or_else(|| Digest::of(b""));
        store.put_audit_state(self.next, &root, &alarms, &self.mac(pepper, &alarms))?;
        Ok(true)
    }

    /// Over everything, so that no row can be left out or put back.
    fn mac(&self, pepper: &Pepper, alarms: &str) -> Vec<u8> {
        let mut rows = Vec::with_capacity(self.said.len() * 96);
        for (row, Said { standing, place }) in &self.said {
            for part in [row.as_bytes(), standing.as_deref().unwrap_or_default().as_bytes()] {
                rows.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                rows.extend_from_slice(part);
            }
            rows.push(u8::from(standing.is_some()));
            rows.extend_from_slice(&place.to_be_bytes());
        }
        let root = self.root.unwrap_or_else(|| Digest::of(b""));
        let (rows, next) = (Digest::of(&rows), self.next.to_be_bytes());
        let parts: [&[u8]; 5] = [b"audit", &next, root.as_bytes(), alarms.as_bytes(), rows.as_bytes()];
        pepper.mac(&parts).to_vec()
    }
}

/// What was read; nothing if this program did not write it.
fn legible<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Err(StoreError::Corrupt(_)) => Ok(None),
        read => read.map(Some),
    }
}
