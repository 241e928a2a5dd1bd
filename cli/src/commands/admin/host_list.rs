//! `countersign admin host list`: the enrolled machines.

use std::fmt;

use clap::Args;
use countersign_protocol::message::result::{InstanceList, ListAfter};
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// List the hosts with their states and when they were last seen. For administrators and auditors.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Begin after this fingerprint, where one page was not enough.
    #[arg(long, value_name = "FINGERPRINT")]
    after: Option<String>,

    #[command(flatten)]
    card: CardChoice,
}

impl List {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let job = Job::new("read", "instances", "all", &self.card)?;
        let list = job.with(&ListAfter { after: self.after.clone() })?.run(global)?.result;
        Report::of(&Shown { list })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    list: InstanceList,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = &self.list.instances;
        writeln!(f, "{:40}  {:9}  {:20}  CALLS ITSELF", "HOST", "STATE", "LAST SEEN")?;
        for one in hosts {
            let state = match (&one.successor, one.forked) {
                (Some(_), _) => "replaced",
                (None, Some(_)) => "FORKED",
                (None, None) => one.state.as_str(),
            };
            let seen = one.seen.map_or_else(|| "never".to_owned(), |at| at.to_string());
            writeln!(f, "{:40}  {state:9}  {seen:20}  {}", one.instance.to_string(), one.claimed_hostname)?;
        }
        match hosts.last().filter(|_| self.list.more) {
            Some(last) => {
                writeln!(f, "There are more: countersign admin host list --after {}", last.instance)
            }
            None => Ok(()),
        }
    }
}
