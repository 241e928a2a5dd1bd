//! `countersign admin host suspend`: bar a host until it is resumed.

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

/// Bar a host from carrying any login or request until it is resumed.
#[derive(Debug, Args)]
pub(crate) struct Suspend {
    /// The host's fingerprint, as `countersign admin host list` shows it, or `countersign status` on the host.
    instance: Fingerprint,

    #[command(flatten)]
    card: CardChoice,
}

impl Suspend {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        terminal::tell(&format!(
            "The host {}\nwill carry no login and no request until it is resumed.",
            self.instance.spaced()
        ));
        let name = self.instance.to_string();
        let done = Job::new("suspend", "instance", &name, &self.card)?.run(global)?;
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
        let when = if changed.changed { "is suspended" } else { "was suspended before" };
        writeln!(f, "The host {} {when}.", changed.instance.spaced())?;
        writeln!(f, "  calls itself {} (claimed, not proven)", changed.claimed_hostname)?;
        writeln!(f, "  recorded    entry {} of the ledger", recorded.ledger_index)?;
        writeln!(f, "To lift it: countersign admin host resume {}", changed.instance)
    }
}
