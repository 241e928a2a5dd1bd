//! `countersign pam confirm`: let the change stay.

use std::fmt;

use clap::Args;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ids::LoginName;
use serde::Serialize;

use crate::commands::enroll::as_root;
use crate::failure::{Failure, LocalKind};
use crate::output::Report;
use crate::pam_setup::store::{Attempt, Enabled, Entry, Pending, Stage, Store};

/// Let the change of PAM stay (as root).
///
/// Do this when you have logged in, and used sudo, in another terminal.
#[derive(Debug, Args)]
pub(crate) struct Confirm {}

impl Confirm {
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        as_root("confirms a change of PAM")?;
        let store = Store::open()?;
        let Some(mut pending) = store.pending()? else {
            return match store.enabled()? {
                Some(_) => Report::of(&Shown { users: Vec::new(), already: true }),
                None => Err(Failure::local(LocalKind::NotFound, "no change of PAM waits to be confirmed")
                    .then("It may have been put back already. See: countersign pam status")),
            };
        };
        match pending.stage {
            Stage::Changing if Attempt::is_on() => {
                return Err(Failure::local(LocalKind::Unconfirmed, "the change is still being tried")
                    .then("Finish the trial login in its terminal first."));
            }
            Stage::Changing => {
                return Err(Failure::local(
                    LocalKind::Unconfirmed,
                    "the change was interrupted before it was tried",
                )
                .then("Put it back: countersign pam revert"));
            }
            Stage::Waiting if pending.is_due()? => {
                return Err(Failure::local(LocalKind::Unconfirmed, "the time to confirm is over")
                    .then("It is being put back. Run `countersign pam enable` again."));
            }
            // Here it is decided: whatever comes next, this is not put back any more.
            Stage::Waiting => {
                pending.stage = Stage::Confirmed;
                store.set_pending(&pending)?;
            }
            Stage::Confirmed => {}
        }
        let users = pending.users.clone();
        settle(&store, pending)?;
        Report::of(&Shown { users, already: false })
    }
}

/// Writes down what was confirmed.
pub(super) fn settle(store: &Store, pending: Pending) -> Result<(), Failure> {
    let mut enabled = store.enabled()?.unwrap_or_else(|| Enabled {
        system: pending.system,
        since: SystemClock.now(),
        entries: Vec::new(),
    });
    take_up(&mut enabled.entries, pending.entries);
    store.set_enabled(&enabled)?;
    store.end_pending()
}

/// A second change keeps what was there before the first – but only of files that nobody else changed in between.
/// Of such a file the first change stays the one that is known, so that it counts as changed when all is put back.
fn take_up(known: &mut Vec<Entry>, new: Vec<Entry>) {
    for entry in new {
        match known.iter_mut().find(|known| known.path == entry.path) {
            Some(known) if known.after.as_ref() == Some(&entry.before) => known.after = entry.after,
            Some(_) => {}
            None => known.push(entry),
        }
    }
}

#[derive(Serialize)]
struct Shown {
    users: Vec<LoginName>,
    already: bool,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.already {
            return writeln!(f, "Confirmed already: PAM asks for cards on this host.");
        }
        writeln!(f, "Confirmed: PAM asks for cards on this host.")?;
        writeln!(f, "To take it back: countersign pam disable")
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::ids::Digest;

    use super::*;
    use crate::pam_setup::kept::Content;

    fn file(text: &str) -> Content {
        Content::File { digest: Digest::of(text.as_bytes()), mode: 0o644, uid: 0, gid: 0 }
    }

    fn entry(before: &str, after: &str) -> Entry {
        Entry { path: "/etc/pam.d/common-session".into(), before: file(before), after: Some(file(after)) }
    }

    #[test]
    fn a_second_change_hides_nothing_that_somebody_else_did_between_the_two() {
        for (second, known) in [
            (entry("first", "second"), entry("before", "second")),
            (entry("first and theirs", "second"), entry("before", "first")),
            (entry("first and theirs", "first and theirs"), entry("before", "first")),
        ] {
            let mut entries = vec![entry("before", "first")];
            take_up(&mut entries, vec![second]);
            assert_eq!(entries, [known]);
        }
    }
}
