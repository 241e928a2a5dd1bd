//! `countersign policy show`: one document, as it is or was.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::PolicyName;
use countersign_protocol::message::result::{PolicyAsked, PolicyShown};
use serde::Serialize;

use super::list::{HEADINGS, in_columns};
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Show the text of a policy document, as it is or as it was, or all its versions.
///
/// The text alone is printed, so that it can be put again: `countersign policy show NAME --version 3 > NAME.cedar`, then
/// `countersign policy put NAME.cedar --over 5`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Which document.
    name: PolicyName,

    /// Which version; the newest if none is named.
    #[arg(long, value_name = "NUMBER")]
    version: Option<u64>,

    /// The versions instead of a text.
    #[arg(long)]
    history: bool,

    #[command(flatten)]
    card: CardChoice,
}

impl Show {
    pub(super) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let body = PolicyAsked { version: self.version };
        let shown =
            Job::new("read", "policy", self.name.as_str(), &self.card)?.with(&body)?.run(global)?.result;
        Report::of(&Shown { shown, history: self.history })
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    shown: PolicyShown,
    #[serde(skip)]
    history: bool,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.history {
            writeln!(f, "{HEADINGS}")?;
            return self.shown.history.iter().try_for_each(|one| writeln!(f, "{}", in_columns(one)));
        }
        match &self.shown.text {
            Some(text) => f.write_str(text),
            None => writeln!(
                f,
                "// {} was taken out with version {}.",
                self.shown.document.name, self.shown.document.version
            ),
        }
    }
}
