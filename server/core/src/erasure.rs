//! Erasing what is kept of a person, without breaking the log.
//!
//! The log's entries stay for ever: they hold names, fingerprints and sentences. What people signed lies beside it by
//! salted digest, and everything else in tables: that goes.

use countersign_protocol::ids::AccountName;
use countersign_protocol::ledger::Entry;
use countersign_protocol::statement::Statement;

use crate::ledger::LedgerRead;
use crate::stop::Failure;
use crate::store::StoreError;

/// Entries read at once.
const STEP: u64 = 512;

/// Erasing in a store.
pub trait ErasureStore {
    /// Erases everything of an account that is retired but its name, its state and the fingerprints of its keys; and
    /// what it signed, beside these entries. How many statements these were; none if it is not retired.
    ///
    /// # Errors
    /// [`StoreError`].
    fn erase_account(&self, name: &AccountName, places: &[u64]) -> Result<Option<u64>, StoreError>;
}

/// The entries from `from` on beside which lies what this account signed.
pub(crate) fn signed_by(
    view: &(impl LedgerRead + ?Sized),
    account: &AccountName,
    from: u64,
) -> Result<(Vec<u64>, u64), Failure> {
    let size = view.tip()?.size;
    let (mut places, mut next) = (Vec::new(), from);
    while next < size {
        let step = view.entries(next, STEP.min(size - next))?;
        if step.is_empty() {
            return Err(crate::ledger::LedgerWriteError::Damaged(format!("entry {next} is missing")).into());
        }
        for exported in step {
            if let Some(evidence) = &exported.evidence {
                // A statement that was taken for nobody's is kept as a claim: it says whose it wants to be.
                let theirs = Entry::from_bytes(&exported.entry.0).ok().and_then(|entry| entry.account);
                let claimed = Statement::from_bytes(&evidence.signed.statement.0).ok().map(|one| one.account);
                if theirs.as_ref() == Some(account) || claimed.as_ref() == Some(account) {
                    places.push(next);
                }
            }
            next += 1;
        }
    }
    Ok((places, size))
}
