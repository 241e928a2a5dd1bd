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

impl Revert {
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        as_root("changes PAM's configuration")?;
        if self.when_due {
            wait_until_due();
        }
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
            return Report::of(&Shown(None));
        }
        let done = undo(&store, &pending)?;
        let is_all = done.still_ours.is_empty();
        let report = Report::of(&Shown(Some(done)))?;
        Ok(if is_all { report } else { report.ending(Exit::Attention, Tone::Attention) })
    }
}

/// Out of the terminal's reach, and until there is nothing to wait for.
fn wait_until_due() {
    // Fails where this process leads a session already.
    let _ = nix::unistd::setsid();
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
        let Self(Some(PutBack { restored, left, still_ours })) = self else {
            return writeln!(f, "There is nothing to put back.");
        };
        writeln!(f, "Put back: {} files are as they were.", restored.len())?;
        for path in left.iter().filter(|path| !still_ours.contains(path)) {
            writeln!(f, "  {} was changed by somebody else meanwhile, and is left as it is", path.display())?;
        }
        for path in still_ours {
            writeln!(f, "  {} still has lines with pam_countersign.so: remove them by hand", path.display())?;
        }
        if !still_ours.is_empty() {
            writeln!(f, "  Then run this again. Until then pam_countersign.so must stay installed.")?;
        }
        Ok(())
    }
}
