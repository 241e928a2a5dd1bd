//! The policies in force, read once for each change.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::load::PolicySet;
use super::store::PolicyRead;
use crate::stop::Failure;

/// The set that was read last. Another process may have changed the documents since: whoever decides compares epochs
/// first, in the transaction that it decides in.
#[derive(Default)]
pub(crate) struct Current(ArcSwapOption<PolicySet>);

impl Current {
    /// The set of what `store` holds: a transaction that has changed no document so far, or a view.
    ///
    /// # Errors
    /// The store's, or [`Failure::Policy`]: the documents were written by another release. Nothing is decided then.
    pub(crate) fn of<R: PolicyRead + ?Sized>(&self, store: &R) -> Result<Arc<PolicySet>, Failure> {
        let epoch = store.policy_epoch()?;
        if let Some(set) = self.0.load_full().filter(|set| set.epoch() == epoch) {
            return Ok(set);
        }
        let documents = store.policies_at(epoch)?;
        let set = PolicySet::load(&documents, epoch).map_err(|error| Failure::Policy(error.to_string()))?;
        let set = Arc::new(set);
        self.0.store(Some(set.clone()));
        Ok(set)
    }
}
