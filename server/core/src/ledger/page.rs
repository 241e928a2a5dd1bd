//! Pages of the log for a reader with the right to read it.

use countersign_protocol::message::result::ExportedEntry;

use super::append::Ledger;
use super::error::LedgerWriteError;
use super::storage::LedgerRead;

/// Entries that fit one reply, and the checkpoint they are under. The store adds the certificates that
/// their statements need.
#[derive(Debug, Clone)]
pub struct Page {
    /// Index of the first entry.
    pub from: u64,
    /// The entries, in order.
    pub entries: Vec<ExportedEntry>,
    /// The newest checkpoint's note.
    pub checkpoint: String,
    /// Its size.
    pub size: u64,
}

/// Entries asked of the store at once.
const STEP: u64 = 64;

impl Ledger {
    /// Entries from `from` on, as many as fit into `room` bytes of JSON, at least one if there is one.
    ///
    /// # Errors
    /// [`LedgerWriteError`]; [`LedgerWriteError::NoSuchEntry`] for an empty ledger or one that ends before `from`.
    pub fn page(&self, view: &dyn LedgerRead, from: u64, room: usize) -> Result<Page, LedgerWriteError> {
        let (size, checkpoint) = view.checkpoint()?.unwrap_or_default();
        if from >= size {
            return Err(LedgerWriteError::NoSuchEntry { index: from, size });
        }
        let mut page = Page { from, entries: Vec::new(), checkpoint, size };
        let (mut next, mut used) = (from, 0_usize);
        while next < size {
            let step = view.entries(next, STEP.min(size - next))?;
            if step.is_empty() {
                return Err(LedgerWriteError::Damaged(format!("entry {next} of {size} is missing")));
            }
            for entry in step {
                used = used.saturating_add(weight(&entry));
                if used > room && !page.entries.is_empty() {
                    return Ok(page);
                }
                page.entries.push(entry);
                next += 1;
            }
        }
        Ok(page)
    }
}

/// Bytes of the entry in a page's JSON, rounded up: base64 of every part, and names and quotes around them.
pub(crate) fn weight(entry: &ExportedEntry) -> usize {
    let evidence = entry.evidence.as_ref().map_or(0, |evidence| {
        evidence.salt.0.len() + evidence.signed.statement.0.len() + evidence.signed.signature.0.len()
    });
    (entry.entry.0.len() + evidence) / 3 * 4 + 160
}
