//! `countersign admin host resume`: let a suspended host work again, or decide about a fork.

use clap::Args;
use countersign_protocol::message::result::InstanceChanged;

use super::change::Words;
use super::host_change::{Host, words};
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

/// Let a suspended host work again, or one that was seen twice with one key.
///
/// Resume a host that was seen twice only if you know why: it was restored from an older copy, say, and no other copy
/// runs. If a copy may be in other hands, revoke it, and run `countersign host replace` on the true one.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    host: Host,
}

impl Resume {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let after = "will work again. If it was marked as seen twice with one key, you say that only one of them is left.";
        self.host.change(global, "resume", ("The host", after), told)
    }
}

fn told(host: &InstanceChanged) -> Words {
    let when = match (host.changed, host.fork_lifted) {
        (false, _) => "was active before.",
        (true, false) => "may work again.",
        (true, true) => {
            "may work again. Its mark as seen twice is lifted; if a copy still runs, it comes back."
        }
    };
    words(host, format!("The host {} {when}", host.instance.spaced()), None)
}
