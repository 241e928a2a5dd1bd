//! Tells those who wait that something was committed which a host may have to hear of.
//!
//! Within one process the core calls its listeners after a commit. Several processes on one database tell each other by
//! whatever the database has for it, and call [`Changes::tell`] when they hear it; what nobody tells is found at the
//! end of a watch.

use std::sync::{PoisonError, RwLock};

/// What somebody does about a change. It must not wait.
pub type Listener = Box<dyn Fn() + Send + Sync>;

/// Who wants to hear of changes.
#[derive(Default)]
pub struct Changes(RwLock<Vec<Listener>>);

impl Changes {
    /// Calls `listener` after every change from now on, for as long as the core lives.
    pub fn listen(&self, listener: Listener) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Something changed, here or in another process, and is committed.
    pub fn tell(&self) {
        for listener in &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            listener();
        }
    }
}
