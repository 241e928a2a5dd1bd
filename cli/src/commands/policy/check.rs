//! `countersign policy check`: would a server take these documents?

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde::Serialize;

use super::read;
use crate::failure::Failure;
use crate::output::{Report, Tone};

/// Check policy documents together, without a server: syntax, schema, ids.
///
/// Each file is one document, called like the file without .cedar. Name all that shall be in force together. What a
/// server would say of a change to its own documents: countersign policy put … --dry-run.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The documents.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
}

impl Check {
    pub(super) fn run(&self) -> Result<Report, Failure> {
        let (documents, set) = read(&self.files)?;
        let approvals = set.approvals().map(|(id, needs)| (id.to_owned(), needs.to_string())).collect();
        let guard = Some(set.guard()).filter(|guard| guard.people() > 0).map(|guard| guard.to_string());
        let good = Good { documents: documents.len(), policies: set.size(), approvals, guard };
        let exit = crate::exit::Exit::Done;
        Ok(Report::of(&good)?.ending(exit, Tone::Good))
    }
}

#[derive(Serialize)]
struct Good {
    documents: usize,
    policies: usize,
    /// What each policy asks for that asks for approvals.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    approvals: BTreeMap<String, String>,
    /// What it takes to weaken them.
    #[serde(skip_serializing_if = "Option::is_none")]
    guard: Option<String>,
}

impl fmt::Display for Good {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Good: {} policies in {} documents.", self.policies, self.documents)?;
        for (id, needs) in &self.approvals {
            writeln!(f, "{id} asks for {needs}.")?;
        }
        let Some(guard) = &self.guard else { return Ok(()) };
        writeln!(
            f,
            "With them, changes of policies, and whatever makes somebody one of those who are asked, take {guard}. A server \
             refuses them if there are not so many active people with cards of their own, beside somebody who may change \
             policies: countersign policy put … --dry-run says so."
        )
    }
}
