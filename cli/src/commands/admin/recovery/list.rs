//! `countersign admin recovery list`: recoveries that are under way.

use std::fmt;

use clap::Args;
use countersign_protocol::message::result::RecoveryList;
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// List the recoveries that are under way. To end one: countersign recover withdraw ID
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    card: CardChoice,
}

impl List {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let list = Job::new("read", "recoveries", "all", &self.card)?.run(global)?.result;
        Report::of(&Shown { list })
    }
}

#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    pub(super) list: RecoveryList,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.list.recoveries.is_empty() {
            return writeln!(f, "No recovery is under way.");
        }
        for one in &self.list.recoveries {
            writeln!(f, "Recovery {} of {}", one.id, one.account)?;
            writeln!(f, "  new key     {}", one.key.spaced())?;
            writeln!(f, "  key words   {}", one.key_words)?;
            writeln!(f, "  begun       {} at {} (claimed, not proven)", one.begun, one.claimed_hostname)?;
            writeln!(f, "  completed   from {} to {}", one.not_before, one.expires)?;
            let names: Vec<&str> = one.approvals.iter().map(|name| name.as_str()).collect();
            writeln!(
                f,
                "  signed for  by {}",
                if names.is_empty() { "nobody".into() } else { names.join(", ") }
            )?;
        }
        Ok(())
    }
}
