//! How far the log was told to somebody who takes it entry by entry, such as syslog.

use countersign_protocol::clock::Timestamp;

use crate::store::StoreError;

/// Where the teller is, in a store. One process tells at a time.
pub trait OutletStore {
    /// The place that is told next, if `holder` may tell until `until`: nobody else does, or their time is over.
    ///
    /// # Errors
    /// [`StoreError`].
    fn hold_outlet(&self, holder: &str, now: Timestamp, until: Timestamp) -> Result<Option<u64>, StoreError>;

    /// Everything before `next` was told, by `holder`; `false` if it may not tell any more.
    ///
    /// # Errors
    /// [`StoreError`].
    fn told_outlet(&self, holder: &str, next: u64) -> Result<bool, StoreError>;

    /// Another process may tell at once.
    ///
    /// # Errors
    /// [`StoreError`].
    fn leave_outlet(&self, holder: &str) -> Result<(), StoreError>;
}
