//! A host, and a request that changes how it stands.

use clap::Args;
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::message::result::InstanceChanged;

use super::change::{self, Words};
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;
use crate::terminal;

/// Which host, and with which card it is asked for.
#[derive(Debug, Args)]
pub(super) struct Host {
    /// The host's fingerprint, as `countersign admin host list` shows it, or `countersign status` on the host.
    instance: Fingerprint,

    #[command(flatten)]
    card: CardChoice,
}

impl Host {
    /// Tells what is about to happen, `announced` being the sentence after the host's name, and asks for it.
    pub(super) fn change(
        &self,
        global: &Global,
        operation: &str,
        announced: (&str, &str),
        words: fn(&InstanceChanged) -> Words,
    ) -> Result<Report, Failure> {
        let (before, after) = announced;
        terminal::tell(&format!("{before} {}\n{after}", self.instance.spaced()));
        let name = self.instance.to_string();
        change::report(Job::new(operation, "instance", &name, &self.card)?.run(global)?, words)
    }
}

/// `said` of a host that calls itself what it does.
pub(super) fn words(changed: &InstanceChanged, said: String, next: Option<String>) -> Words {
    let claimed = format!("{} (claimed, not proven)", changed.claimed_hostname);
    Words { said, more: Some(("calls itself", claimed)), next }
}
