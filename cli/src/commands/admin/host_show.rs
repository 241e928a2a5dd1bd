//! `countersign admin host show`: everything the server knows of a host.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::message::KeyStore;
use countersign_protocol::message::result::{InstanceList, InstanceShown};
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::{Failure, LocalKind};
use crate::job::Job;
use crate::output::Report;

/// Show a host: its state, where its key lives, and when it was seen.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The host's fingerprint.
    instance: Fingerprint,

    #[command(flatten)]
    card: CardChoice,
}

impl Show {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let job = Job::new("read", "instance", &self.instance.to_string(), &self.card)?;
        let list: InstanceList = job.run(global)?.result;
        let host = list.instances.into_iter().find(|one| one.instance == self.instance);
        let host = host.ok_or_else(|| {
            Failure::local(
                LocalKind::AgentProtocol,
                "the server answered about another host than the one named",
            )
        })?;
        Report::of(&Shown { host })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    host: InstanceShown,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host } = self;
        writeln!(f, "Host {}", host.instance.spaced())?;
        writeln!(f, "  state       {} since {}", host.state.as_str(), host.since)?;
        if let Some(successor) = &host.successor {
            writeln!(f, "  replaced by {}", successor.spaced())?;
        }
        if let Some(at) = host.forked {
            writeln!(
                f,
                "  FORKED      seen twice with one key on {at}: it was copied or restored from a backup."
            )?;
            writeln!(
                f,
                "              Logins go on with the server; without it, and administration from it, stopped."
            )?;
            writeln!(f, "              If no copy is left: countersign admin host resume {}", host.instance)?;
            writeln!(f, "              If one may be: countersign admin host revoke {}", host.instance)?;
        }
        writeln!(f, "  key words   {}", host.key_words)?;
        writeln!(f, "  calls itself {} (claimed, not proven)", host.claimed_hostname)?;
        writeln!(f, "  application {}", host.application)?;
        match &host.key_store {
            KeyStore::Card(ident) => writeln!(f, "  key on card {ident}")?,
            KeyStore::Sealed => writeln!(f, "  key in      a file of the host")?,
        }
        writeln!(f, "  enrolled    {}", host.enrolled)?;
        match host.seen {
            Some(at) => writeln!(f, "  last seen   {at}"),
            None => writeln!(f, "  last seen   never"),
        }
    }
}
