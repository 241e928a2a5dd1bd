//! Signals that a change of PAM must outlive, and that whoever it starts must not.

use nix::sys::signal::{SigSet, Signal};

use crate::failure::Failure;

/// ^C or a closed terminal end the trial login, a process of its own, and not this one: it puts everything back then.
/// Nor does ^Z stop it, which nobody could put back for a while.
pub(crate) fn put_off() -> Result<(), Failure> {
    let mut signals = ending();
    signals.add(Signal::SIGTSTP);
    signals.thread_block().map_err(|error| Failure::file(format!("signals cannot be put off: {error}")))
}

/// For a process that was started with them put off, which it inherits.
pub(crate) fn heed() -> Result<(), Failure> {
    ending().thread_unblock().map_err(|error| Failure::file(format!("signals cannot be heeded: {error}")))
}

fn ending() -> SigSet {
    [Signal::SIGINT, Signal::SIGHUP, Signal::SIGTERM, Signal::SIGQUIT].into_iter().collect()
}
