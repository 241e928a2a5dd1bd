//! `countersign admin host revoke`: end a host's key.

use clap::Args;
use countersign_protocol::message::result::InstanceChanged;

use super::change::Words;
use super::host_change::{Host, words};
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

/// Revoke a host's key for good: a host that is gone, was stolen or copied, or lost its card.
///
/// The machine can come back with a new key: `countersign host replace` on it.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    host: Host,
}

impl Revoke {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let after = "will be revoked for good: it carries nothing any more, and never enrols again.";
        self.host.change(global, "revoke", ("The key of the host", after), told)
    }
}

fn told(host: &InstanceChanged) -> Words {
    let when = if host.changed { "is revoked" } else { "was revoked before" };
    words(host, format!("The key of the host {} {when}.", host.instance.spaced()), None)
}
