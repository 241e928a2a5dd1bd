//! `countersign admin token add`: a token with which one host enrols without waiting for approval.

use std::fmt;

use clap::Args;
use countersign_protocol::message::result::TokenCreated;
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::{Job, Recorded};
use crate::output::Report;

/// Make a token with which one host enrols, once, without waiting for approval.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// What the token is for, in the ledger: letters, digits, dot, dash, underscore.
    name: String,

    #[command(flatten)]
    card: CardChoice,
}

impl Add {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let done = Job::new("create", "enrolment-token", &self.name, &self.card)?.run(global)?;
        Report::of(&Shown { created: done.result, recorded: done.recorded })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    created: TokenCreated,
    #[serde(flatten)]
    recorded: Recorded,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, recorded } = self;
        writeln!(f, "A token is made.")?;
        writeln!(f, "  token       {}", created.token)?;
        writeln!(f, "  valid until {}, for one host", created.expires)?;
        writeln!(f, "  recorded    entry {} of the ledger", recorded.ledger_index)
    }
}
