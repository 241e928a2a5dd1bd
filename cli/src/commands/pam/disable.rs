//! `countersign pam disable`: nobody is asked for a card any more.

use std::fmt;

use clap::Args;
use countersign_protocol::managed;
use serde::Serialize;

use crate::commands::enroll::as_root;
use crate::failure::{Failure, LocalKind};
use crate::output::Report;
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
        if let Some(pending) = store.pending()? {
            done = undo(&store, &pending)?;
        }
        let Some(enabled) = store.enabled()? else {
            if done.restored.is_empty() && done.left.is_empty() {
                return Err(Failure::local(
                    LocalKind::NotFound,
                    "`countersign pam enable` was not used on this host",
                )
                .then("Lines that were added by hand go by hand. See: countersign pam status"));
            }
            return Report::of(&Shown(done));
        };
        let is_the_list = |path: &std::path::Path| path == std::path::Path::new(managed::PATH);
        let back =
            put_back(&store, enabled.system, &enabled.entries, true, |entry| is_the_list(&entry.path))?;
        store.end_enabled()?;
        done.restored.extend(back.restored);
        done.left = back.left;
        done.still_ours = back.still_ours;
        Report::of(&Shown(done))
    }
}

#[derive(Serialize)]
struct Shown(PutBack);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(PutBack { left, still_ours, .. }) = self;
        if still_ours.is_empty() {
            writeln!(f, "PAM asks for no cards any more.")?;
        }
        for path in left.iter().filter(|path| !still_ours.contains(path)) {
            writeln!(f, "  {} was changed by somebody else meanwhile, and is left as it is", path.display())?;
        }
        for path in still_ours {
            writeln!(f, "  {} still has lines with pam_countersign.so: remove them by hand", path.display())?;
        }
        if std::path::Path::new(managed::PATH).exists() {
            writeln!(f, "  {} stays, for the next time", managed::PATH)?;
        }
        Ok(())
    }
}
