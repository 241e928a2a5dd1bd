//! A test aid: die at a write of the journal, as if killed.

use std::sync::atomic::{AtomicU64, Ordering};

/// At which point the process kills itself: before a transaction is committed, or after. Only builds with debug
/// assertions can set one.
#[derive(Debug, Default)]
pub(super) struct CrashPoint {
    left: AtomicU64,
}

impl CrashPoint {
    #[cfg(debug_assertions)]
    pub(super) fn set(&self, n: u64) {
        self.left.store(n, Ordering::SeqCst);
    }

    /// One more point was reached.
    pub(super) fn pass(&self) {
        if self.left.load(Ordering::SeqCst) > 0 && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            // Nothing runs after this: no destructor, no flush, no rollback.
            let _sent = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
    }
}
