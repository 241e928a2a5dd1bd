//! `countersign pam revert`: put an unconfirmed change back. Timers and the unit for the next boot run it too.

use std::fmt;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::confirm::settle;
use crate::commands::enroll::as_root;
use crate::exit::Exit;
use crate::failure::{Failure, LocalKind};
use crate::output::{Report, Tone};
use crate::pam_setup::apply::undo;
use crate::pam_setup::put_back::PutBack;
use crate::pam_setup::store::{self, Stage, Store};
use crate::pam_setup::{boot_clock, signals, timer};

/// Put back a change of PAM that was not confirmed (as root).
#[derive(Debug, Args)]
pub(crate) struct Revert {
    /// Only if the time to confirm is over. For timers and for the next boot.
    #[arg(long)]
    if_due: bool,

    /// When the time to confirm is over. For hosts without systemd.
    #[arg(long, conflicts_with = "if_due", hide = true)]
    when_due: bool,
}

/// How often `--when-due` looks whether somebody confirmed.
const LOOK: Duration = Duration::from_secs(1);

/// When it tries once more; the same is in `timer.rs` and in the unit for the next boot.
const AGAIN: Duration = Duration::from_secs(15);

impl Revert {
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        as_root("changes PAM's configuration")?;
        if self.when_due {
            return self.when_due();
        }
        self.at_once()
    }

    /// A disk that is full for a while, or a file that is, must not be the end of it.
    fn when_due(&self) -> Result<Report, Failure> {
        signals::heed()?;
        // Fails where this process leads a session already.
        let _ = nix::unistd::setsid();
        loop {
            wait_until_due();
            let done = self.at_once();
            if done.is_ok() {
                return done;
            }
            std::thread::sleep(AGAIN);
        }
    }

    fn at_once(&self) -> Result<Report, Failure> {
        let by_itself = self.if_due || self.when_due;
        let store = if by_itself { Store::open_in_turn()? } else { Store::open()? };
        let Some(pending) = store.pending()? else {
            if by_itself {
                return Report::of(&Shown(None));
            }
            return Err(Failure::local(LocalKind::NotFound, "no change of PAM waits to be confirmed")
                .then("To take back one that was confirmed: countersign pam disable"));
        };
        if pending.stage == Stage::Confirmed {
            settle(&store, pending)?;
            return Report::of(&Shown(None));
        }
        if by_itself && !pending.is_due()? {
            // A clock that is ahead of ours.
            timer::arm(pending.due.saturating_sub(boot_clock::seconds()?))?;
            return Report::of(&Shown(None));
        }
        let done = undo(&store, &pending)?;
        let is_all = done.still_ours.is_empty();
        let report = Report::of(&Shown(Some(done)))?;
        Ok(if is_all { report } else { report.ending(Exit::Attention, Tone::Attention) })
    }
}

/// Until there is nothing to wait for.
fn wait_until_due() {
    loop {
        match store::pending() {
            Ok(Some(pending)) if !pending.is_due().unwrap_or(true) => std::thread::sleep(LOOK),
            _ => return,
        }
    }
}

#[derive(Serialize)]
struct Shown(Option<PutBack>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Some(done)) = self else {
            return writeln!(f, "There is nothing to put back.");
        };
        writeln!(f, "Put back: {} files are as they were.", done.restored.len())?;
        done.list_left(f)
    }
}
