//! What is kept from one audit to the next.

use std::collections::BTreeMap;

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
    pub(super) changed: Vec<String>,
    /// It was not read, or does not hold: everything is replayed.
    pub(super) anew: bool,
}

/// What is kept of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Rows that had been edited before a request changed them, until somebody accepts them as they are.
    pub edited: BTreeMap<String, String>,
    /// Of rows that were found edited: what the alarm said, by digest.
    pub alarmed: BTreeMap<String, String>,
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
    /// Whether nobody else kept anything since.
    ///
    /// # Errors
    /// [`StoreError`].
    fn audit_is_at(&self, next: u64) -> Result<bool, StoreError>;

    /// Forgets all rows.
    ///
    /// # Errors
    /// [`StoreError`].
    fn forget_audit(&self) -> Result<(), StoreError>;

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

    /// What was kept, if this server kept it.
    pub(super) fn kept<R: AuditRead + ?Sized>(
        store: &R,
        pepper: &Pepper,
    ) -> Result<Option<Self>, StoreError> {
        let Some(StateRow { next, root, kept: alarms, mac }) = store.audit_state()? else { return Ok(None) };
        let said = store.audit_said()?;
        let Ok(kept) = serde_json::from_str(&alarms) else { return Ok(None) };
        let state = Self { next, root: Some(root), said, kept, changed: Vec::new(), anew: false };
        Ok((state.mac(pepper, &alarms) == mac).then_some(state))
    }

    /// Keeps it.
    pub(super) fn keep<S: AuditStore + ?Sized>(
        &mut self,
        store: &S,
        pepper: &Pepper,
    ) -> Result<(), StoreError> {
        if self.anew {
            store.forget_audit()?;
            self.changed = self.said.keys().cloned().collect();
        }
        for row in self.changed.drain(..) {
            if let Some(said) = self.said.get(&row) {
                store.put_audit_said(&row, said)?;
            }
        }
        let alarms =
            serde_json::to_string(&self.kept).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let root = self.root.unwrap_or_else(|| Digest::of(b""));
        store.put_audit_state(self.next, &root, &alarms, &self.mac(pepper, &alarms))
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
