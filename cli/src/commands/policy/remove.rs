//! `countersign policy rm`: take a document out.

use clap::Args;
use countersign_protocol::ids::PolicyName;
use countersign_protocol::message::result::{PolicyChanged, PolicyRemoval};

use crate::args::{CardChoice, Global};
use crate::commands::admin::change::{self, Words};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Take a policy document out of force. Its versions stay, and can be put again.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Which.
    name: PolicyName,

    /// Its newest version, as `countersign policy list` shows it: if somebody changed it meanwhile, nothing happens.
    #[arg(long, value_name = "VERSION")]
    over: u64,

    #[command(flatten)]
    card: CardChoice,
}

impl Remove {
    pub(super) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let body = PolicyRemoval { over: self.over };
        let job = Job::new("delete", "policy", self.name.as_str(), &self.card)?.with(&body)?;
        change::report(job.run(global)?, told)
    }
}

fn told(gone: &PolicyChanged) -> Words {
    let name = &gone.document.name;
    let said = format!("The policy document {name} is out of force.");
    let more = Some(("in force   ", format!("{} policies, epoch {}", gone.policies, gone.epoch)));
    Words { said, more, next: None }
}
