//! Reading what the ledger says, from where the last audit ended.

use super::state::{Said, State};
use crate::ledger::{Ledger, LedgerRead, LedgerWriteError};
use crate::standing::stated_in;
use crate::stop::Failure;

/// The row that findings about the ledger itself name.
const LEDGER: &str = "ledger";

/// Entries read at once.
const STEP: u64 = 512;

/// Reads on, and remembers what does not hold by itself: entries that are not the ones that were hashed, and changes of
/// rows that stood otherwise before than the ledger said.
pub(super) fn replay(view: &dyn LedgerRead, ledger: &Ledger, state: &mut State) -> Result<(), Failure> {
    let size = view.tip()?.size;
    if size < state.next {
        let what = format!("it had {} entries, and has {size}", state.next);
        state.kept.edited.insert(LEDGER.into(), what);
        *state = State { kept: std::mem::take(&mut state.kept), ..State::anew() };
    } else if let Some(root) = state.root
        && ledger.root(view, state.next)? != root
    {
        let what = format!("its first {} entries are not those that they were", state.next);
        state.kept.edited.insert(LEDGER.into(), what);
        *state = State { kept: std::mem::take(&mut state.kept), ..State::anew() };
    }
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
                        state.changed.push(row);
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
    state.root = Some(ledger.root(view, state.next)?);
    Ok(())
}
