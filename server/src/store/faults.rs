//! A test aid: die between two writes, as a power cut would have it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// After which write the process kills itself. Only builds with debug assertions can set one.
#[derive(Debug)]
pub struct CrashPoint {
    left: AtomicU64,
    /// Statements so far.
    ran: Option<Arc<AtomicU64>>,
}

impl CrashPoint {
    /// The rule.
    #[must_use]
    pub const fn never() -> Self {
        Self { left: AtomicU64::new(0), ran: None }
    }

    /// SIGKILL to ourselves right after the `n`-th write statement from now on; a commit counts as one.
    #[cfg(debug_assertions)]
    #[must_use]
    pub const fn after_write(n: u64) -> Self {
        Self { left: AtomicU64::new(n), ran: None }
    }

    /// Never, and counts the statements of transactions: how long somebody waits for them.
    #[cfg(debug_assertions)]
    #[must_use]
    pub const fn counting(ran: Arc<AtomicU64>) -> Self {
        Self { left: AtomicU64::new(0), ran: Some(ran) }
    }

    /// One more statement was run.
    pub(super) fn ran(&self) {
        if let Some(ran) = &self.ran {
            ran.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// One more write was done.
    pub(super) fn wrote(&self) {
        self.ran();
        if self.left.load(Ordering::SeqCst) == 0 {
            return;
        }
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            die();
        }
    }
}

fn die() {
    // Nothing runs after this: no destructor, no flush, no rollback.
    let _sent = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
}
