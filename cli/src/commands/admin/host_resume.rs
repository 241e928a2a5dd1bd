//! `countersign admin host resume`: let a suspended host work again, or decide about a fork.

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

/// Let a suspended host work again, or one that was seen twice with one key.
///
/// Resume a host that was seen twice only if you know why: it was restored from an older copy, say, and no other copy
/// runs. If a copy may be in other hands, revoke it, and run `countersign host replace` on the true one.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// The host's fingerprint, as `countersign admin host list` shows it, or `countersign status` on the host.
    instance: Fingerprint,

    #[command(flatten)]
    card: CardChoice,
}

impl Resume {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        terminal::tell(&format!(
            "The host {}\nwill work again. If it was marked as seen twice with one key, you say that only one of them is left.",
            self.instance.spaced()
        ));
        let name = self.instance.to_string();
        let done = Job::new("resume", "instance", &name, &self.card)?.run(global)?;
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
        match (changed.changed, changed.fork_lifted) {
            (false, _) => writeln!(f, "The host {} was active before.", changed.instance.spaced())?,
            (true, false) => writeln!(f, "The host {} may work again.", changed.instance.spaced())?,
            (true, true) => writeln!(
                f,
                "The host {} may work again. Its mark as seen twice is lifted; if a copy still runs, it comes back.",
                changed.instance.spaced()
            )?,
        }
        writeln!(f, "  calls itself {} (claimed, not proven)", changed.claimed_hostname)?;
        writeln!(f, "  recorded    entry {} of the ledger", recorded.ledger_index)
    }
}
