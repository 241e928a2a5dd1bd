//! The policies in force, read once for each change.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use countersign_protocol::message::result::PolicyVersion;

use super::load::PolicySet;
use super::store::PolicyRead;
use crate::stop::Failure;

/// The set that was read last. Another process may have changed the documents since: whoever decides compares first, in
/// the transaction that it decides in.
///
/// By the change itself, not by its number alone: messages that share one commit see each other's changes before that, and
/// when it fails, another change gets the number.
#[derive(Default)]
pub(crate) struct Current(ArcSwapOption<Read>);

struct Read {
    newest: Option<PolicyVersion>,
    set: Arc<PolicySet>,
}

impl Current {
    /// The set of what `store` holds: a transaction that has changed no document so far, or a view.
    ///
    /// # Errors
    /// The store's, or [`Failure::Policy`]: the documents were written by another release. Nothing is decided then.
    pub(crate) fn of<R: PolicyRead + ?Sized>(&self, store: &R) -> Result<Arc<PolicySet>, Failure> {
        let newest = store.newest_policy_change()?;
        if let Some(read) = self.0.load_full().filter(|read| read.newest == newest) {
            return Ok(read.set.clone());
        }
        let epoch = newest.as_ref().map_or(0, |change| change.epoch);
        let documents = store.policies_at(epoch)?;
        let set = PolicySet::load(&documents, epoch).map_err(|error| Failure::Policy(error.to_string()))?;
        let set = Arc::new(set);
        self.0.store(Some(Arc::new(Read { newest, set: set.clone() })));
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::clock::Timestamp;
    use countersign_protocol::ids::{Digest, PolicyName};

    use super::*;
    use crate::policy::Document;
    use crate::store::StoreError;

    /// A store with one document, changed once.
    struct Changed(&'static str);

    impl PolicyRead for Changed {
        fn policy_epoch(&self) -> Result<u64, StoreError> {
            Ok(1)
        }

        fn newest_policy_change(&self) -> Result<Option<PolicyVersion>, StoreError> {
            Ok(Some(PolicyVersion {
                name: "main".parse().unwrap(),
                version: 1,
                digest: Some(Digest::of(self.0.as_bytes())),
                epoch: 1,
                since: Timestamp::from_seconds(1_795_000_000),
                by: None,
            }))
        }

        fn policies_at(&self, _: u64) -> Result<Vec<Document>, StoreError> {
            Ok(vec![Document { name: "main".parse().unwrap(), text: self.0.to_owned() }])
        }

        fn newest_policies(&self) -> Result<Vec<PolicyVersion>, StoreError> {
            Ok(Vec::new())
        }

        fn policy_history(&self, _: &PolicyName) -> Result<Vec<PolicyVersion>, StoreError> {
            Ok(Vec::new())
        }

        fn policy_text(&self, _: &PolicyName, _: u64) -> Result<Option<String>, StoreError> {
            Ok(None)
        }
    }

    #[test]
    fn a_change_that_was_never_committed_is_forgotten_when_another_gets_its_number() {
        let current = Current::default();
        let never = Changed("@id(\"all\") @reason(\"x\") permit (principal, action, resource);");
        assert_eq!(current.of(&never).unwrap().size(), 1);
        // The group's commit failed, and somebody else's change became the first.
        assert_eq!(current.of(&Changed("// nothing")).unwrap().size(), 0);
        let set = current.of(&never).unwrap();
        assert!(Arc::ptr_eq(&set, &current.of(&never).unwrap()), "read again for nothing");
    }
}
