//! `countersign policy check`: would a server take these documents?

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
        let good = Good { documents: documents.len(), policies: set.size() };
        let exit = crate::exit::Exit::Done;
        Ok(Report::of(&good)?.ending(exit, Tone::Good))
    }
}

#[derive(Serialize)]
struct Good {
    documents: usize,
    policies: usize,
}

impl fmt::Display for Good {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Good: {} policies in {} documents.", self.policies, self.documents)
    }
}
