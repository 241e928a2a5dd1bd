//! `countersign pam disable`: nobody is asked for a card any more.

use std::fmt;

use clap::Args;
use countersign_protocol::managed;
use serde::Serialize;

use crate::commands::enroll::as_root;
use crate::exit::Exit;
use crate::failure::{Failure, LocalKind};
use crate::output::{Report, Tone};
use crate::pam_setup::apply::undo;
use crate::pam_setup::put_back::{PutBack, put_back};
use crate::pam_setup::store::Store;

/// Take Countersign out of PAM again (as root).
///
/// Files are put back as they were before it was enabled; what somebody else changed meanwhile only loses
/// Countersign's lines. Who needs a card stays written down, for the next time.
#[derive(Debug, Args)]
pub(crate) struct Disable {}

impl Disable {
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        as_root("changes PAM's configuration")?;
        let store = Store::open()?;
        let mut done = PutBack::default();
        let pending = store.pending()?;
        if let Some(pending) = &pending {
            done = undo(&store, pending)?;
        }
        let Some(enabled) = store.enabled()? else {
            if pending.is_none() {
                return Err(Failure::local(
                    LocalKind::NotFound,
                    "`countersign pam enable` was not used on this host",
                )
                .then("Lines that were added by hand go by hand. See: countersign pam status"));
            }
            return report(done);
        };
        let is_the_list = |path: &std::path::Path| path == std::path::Path::new(managed::PATH);
        let back =
            put_back(&store, enabled.system, &enabled.entries, true, |entry| is_the_list(&entry.path))?;
        done.restored.extend(back.restored);
        done.left = back.left;
        done.still_ours.extend(back.still_ours);
        if done.still_ours.is_empty() {
            store.end_enabled()?;
        }
        report(done)
    }
}

fn report(done: PutBack) -> Result<Report, Failure> {
    let is_all = done.still_ours.is_empty();
    let report = Report::of(&Shown(done))?;
    Ok(if is_all { report } else { report.ending(Exit::Attention, Tone::Attention) })
}

#[derive(Serialize)]
struct Shown(PutBack);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.still_ours.is_empty() {
            writeln!(f, "PAM asks for no cards any more.")?;
        }
        self.0.list_left(f)?;
        if std::path::Path::new(managed::PATH).exists() {
            writeln!(f, "  {} stays, for the next time", managed::PATH)?;
        }
        Ok(())
    }
}
