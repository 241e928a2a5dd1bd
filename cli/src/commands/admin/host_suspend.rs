//! `countersign admin host suspend`: bar a host until it is resumed.

use clap::Args;
use countersign_protocol::message::result::InstanceChanged;

use super::change::Words;
use super::host_change::{Host, words};
use crate::args::Global;
use crate::failure::Failure;
use crate::output::Report;

/// Bar a host from carrying any login or request until it is resumed.
#[derive(Debug, Args)]
pub(crate) struct Suspend {
    #[command(flatten)]
    host: Host,
}

impl Suspend {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let after = "will carry no login and no request until it is resumed.";
        self.host.change(global, "suspend", ("The host", after), told)
    }
}

fn told(host: &InstanceChanged) -> Words {
    let when = if host.changed { "is suspended" } else { "was suspended before" };
    let next = format!("To lift it: countersign admin host resume {}", host.instance);
    words(host, format!("The host {} {when}.", host.instance.spaced()), Some(next))
}
