//! Some entries of the log, each with its proof: read beside all writers, so that nobody waits for a long look.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ledger::{Entry, LedgerSearch, ProvenExport};

use super::append::{Ledger, inclusion};
use super::error::LedgerWriteError;
use super::page::weight;
use super::storage::{LedgerRead, LedgerSnapshot};

/// What was found of a tree.
#[derive(Debug, Clone)]
pub struct Found {
    /// The entries, in order.
    pub entries: Vec<ProvenExport>,
    /// The first index that was not looked at; none when the tree's end was reached.
    pub next: Option<u64>,
    /// Size of the tree that the proofs are for.
    pub size: u64,
    /// Its checkpoint, if no earlier page named one.
    pub checkpoint: Option<String>,
}

/// Entries asked of the store at once.
const STEP: u64 = 256;

/// Most entries looked at for one page: a second's work.
const LOOK: u64 = 100_000;

/// How far the server's clock may have been set back without an entry being missed, in seconds.
const SET_BACK: i64 = 3600;

impl Ledger {
    /// The newest entry under this correlation id that is wanted, without a proof, if it is among the newest entries.
    ///
    /// # Errors
    /// [`LedgerWriteError`].
    pub(crate) fn latest(
        &self,
        view: &dyn LedgerSnapshot,
        id: &CorrelationId,
        is_wanted: impl Fn(&Entry) -> bool,
    ) -> Result<Vec<ProvenExport>, LedgerWriteError> {
        let view: &dyn LedgerRead = view;
        let size = view.size()?;
        let oldest = size.saturating_sub(LOOK);
        let mut end = size;
        while end > oldest {
            let from = end.saturating_sub(STEP).max(oldest);
            let step = view.entries(from, end - from)?;
            let numbered: Vec<_> = (from..end).zip(step).collect();
            for (index, exported) in numbered.into_iter().rev() {
                let entry = read(&exported.entry.0)?;
                if entry.correlation == *id && is_wanted(&entry) {
                    return Ok(vec![ProvenExport { index, entry: exported, proof: Vec::new() }]);
                }
            }
            end = from;
        }
        Ok(Vec::new())
    }

    /// The entry at this place, without a proof, if there is one and it is wanted.
    ///
    /// # Errors
    /// [`LedgerWriteError`].
    pub(crate) fn at(
        &self,
        view: &dyn LedgerSnapshot,
        index: u64,
        is_wanted: impl Fn(&Entry) -> bool,
    ) -> Result<Vec<ProvenExport>, LedgerWriteError> {
        let view: &dyn LedgerRead = view;
        let Some(exported) = view.entries(index, 1)?.into_iter().next() else { return Ok(Vec::new()) };
        let wanted = is_wanted(&read(&exported.entry.0)?);
        Ok(wanted.then(|| ProvenExport { index, entry: exported, proof: Vec::new() }).into_iter().collect())
    }

    /// Up to `room` bytes of JSON of the entries that are wanted.
    ///
    /// # Errors
    /// [`LedgerWriteError`]; [`LedgerWriteError::NoSuchEntry`] for a tree that this log never had or that ends before
    /// the first index.
    pub fn find(
        &self,
        view: &dyn LedgerSnapshot,
        search: &LedgerSearch,
        room: usize,
    ) -> Result<Found, LedgerWriteError> {
        let view: &dyn LedgerRead = view;
        let (newest, note) = view.checkpoint()?.unwrap_or_default();
        let size = search.size.unwrap_or(newest);
        if size > newest || search.from >= size {
            return Err(LedgerWriteError::NoSuchEntry { index: search.from.max(size), size: newest });
        }
        let checkpoint = search.size.is_none().then_some(note);
        let mut found = Found { entries: Vec::new(), next: None, size, checkpoint };
        let mut next = match search.filter.since {
            Some(since) => search.from.max(first_at(view, since.plus(-SET_BACK))?.min(size)),
            None => search.from,
        };
        let (end, mut used) = (next.saturating_add(LOOK), 0_usize);
        while next < size {
            let step = view.entries(next, STEP.min(size - next))?;
            if step.is_empty() {
                return Err(LedgerWriteError::Damaged(format!("entry {next} of {size} is missing")));
            }
            for exported in step {
                let entry = read(&exported.entry.0)?;
                if search.filter.until.is_some_and(|until| entry.time.seconds_since(until) > SET_BACK) {
                    return Ok(found);
                }
                if search.filter.wants(&entry) {
                    let proof = inclusion(view, size, next)?;
                    used = used.saturating_add(weight(&exported) + proof.len() * 67 + 40);
                    if used > room && !found.entries.is_empty() {
                        found.next = Some(next);
                        return Ok(found);
                    }
                    found.entries.push(ProvenExport { index: next, entry: exported, proof });
                }
                next += 1;
            }
            if next >= end && next < size {
                found.next = Some(next);
                return Ok(found);
            }
        }
        Ok(found)
    }
}

/// The index of the first entry that is not before `time`, if entries lie in order of time.
///
/// # Errors
/// The store's.
pub(crate) fn first_at(view: &dyn LedgerRead, time: Timestamp) -> Result<u64, LedgerWriteError> {
    let (mut low, mut high) = (0, view.size()?);
    while low < high {
        let middle = low + (high - low) / 2;
        let before = match view.entries(middle, 1)?.first() {
            Some(exported) => read(&exported.entry.0)?.time < time,
            None => false,
        };
        if before {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn read(bytes: &[u8]) -> Result<Entry, LedgerWriteError> {
    Entry::from_bytes(bytes).map_err(|error| LedgerWriteError::Damaged(error.to_string()))
}
