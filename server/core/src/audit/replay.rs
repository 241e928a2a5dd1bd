//! Reading what the ledger says, from where the last audit ended.

use super::report::LEDGER;
use super::state::{Said, State};
use crate::ledger::{Ledger, LedgerRead, LedgerWriteError};
use crate::standing::stated_in;
use crate::stop::Failure;

/// Entries read at once.
const STEP: u64 = 512;

/// Reads on, and remembers what does not hold by itself: entries that are not the ones that were hashed, and changes of
/// rows that stood otherwise before than the ledger said.
///
/// # Errors
/// The ledger is damaged where what was read is not what its newest checkpoint signed: then none of it is worth anything.
pub(super) fn replay(view: &dyn LedgerRead, ledger: &Ledger, state: &mut State) -> Result<(), Failure> {
    let head = ledger.head(view)?;
    let size = head.size();
    if size < state.next {
        let what = format!("it had {} entries, and has {size}", state.next);
        state.kept.edited.insert(LEDGER.into(), what);
        state.begin_again();
    } else if let Some(root) = state.root
        && ledger.root(view, state.next)? != root
    {
        let what = format!("its first {} entries are not those that they were", state.next);
        state.kept.edited.insert(LEDGER.into(), what);
        state.begin_again();
    }
    // Of the entries themselves, so that nothing is taken for said that was not signed.
    let mut tree = ledger.frontier(view, state.next)?;
    while state.next < size {
        let step = view.entries(state.next, STEP.min(size - state.next))?;
        if step.is_empty() {
            return Err(
                LedgerWriteError::Damaged(format!("entry {} of {size} is missing", state.next)).into()
            );
        }
        let count = u64::try_from(step.len()).unwrap_or(u64::MAX);
        let leaves = ledger.leaves(view, state.next, count)?;
        for (exported, leaf) in step.iter().zip(leaves) {
            let place = state.next;
            tree.push(&exported.entry.0);
            if !Ledger::is_leaf(&exported.entry.0, &leaf) {
                let what = format!("entry {place} is not the one that was hashed");
                state.kept.edited.entry(LEDGER.into()).or_insert(what);
            }
            match stated_in(&exported.entry.0) {
                Ok(stated) => {
                    for (subject, stated) in stated {
                        let row = subject.to_string();
                        let before = state.said.get(&row).and_then(|said| said.standing.clone());
                        if stated.accepted {
                            state.kept.edited.remove(&row);
                        } else if stated.was != before {
                            let what = format!("it had been edited before the change in entry {place}");
                            state.kept.edited.entry(row.clone()).or_insert(what);
                        }
                        let standing = stated.now.map(|now| now.digest());
                        state.said.insert(row.clone(), Said { standing, place });
                        state.changed.insert(row);
                    }
                }
                Err(why) => {
                    let what = format!("entry {place} cannot be read: {why}");
                    state.kept.edited.entry(LEDGER.into()).or_insert(what);
                }
            }
            state.next += 1;
        }
    }
    if tree.root() != head.root() {
        let what = state.kept.edited.get(LEDGER).cloned();
        let what = what.unwrap_or_else(|| "its entries are not those that its last checkpoint signed".into());
        return Err(LedgerWriteError::Damaged(what).into());
    }
    state.root = Some(head.root());
    Ok(())
}
