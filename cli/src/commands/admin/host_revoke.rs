//! `countersign admin host revoke`: end a host's key.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::message::result::InstanceChanged;
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::{Job, Recorded};
use crate::output::Report;
use crate::terminal;

/// Revoke a host's key for good: a host that is gone, was stolen or copied, or lost its card.
///
/// The machine can come back with a new key: `countersign host replace` on it.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The host's fingerprint, as `countersign admin host list` shows it, or `countersign status` on the host.
    instance: Fingerprint,

    #[command(flatten)]
    card: CardChoice,
}

impl Revoke {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        terminal::tell(&format!(
            "The key of the host {}\nwill be revoked for good: it carries nothing any more, and never enrols again.",
            self.instance.spaced()
        ));
        let name = self.instance.to_string();
        let done = Job::new("revoke", "instance", &name, &self.card)?.run(global)?;
        Report::of(&Shown { changed: done.result, recorded: done.recorded })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    changed: InstanceChanged,
    #[serde(flatten)]
    recorded: Recorded,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changed, recorded } = self;
        let when = if changed.changed { "is revoked" } else { "was revoked before" };
        writeln!(f, "The key of the host {} {when}.", changed.instance.spaced())?;
        writeln!(f, "  calls itself {} (claimed, not proven)", changed.claimed_hostname)?;
        writeln!(f, "  recorded    entry {} of the ledger", recorded.ledger_index)
    }
}
