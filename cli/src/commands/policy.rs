//! `countersign policy`: who may do what, tried without a server and kept in it.

mod check;
mod explain;
mod list;
mod put;
mod remove;
mod show;
mod test;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use countersign_server_core::policy::{Document, PolicySet};

use crate::args::Global;
use crate::failure::{Failure, LocalKind};
use crate::output::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    Check(check::Check),
    Test(test::Test),
    List(list::List),
    Show(show::Show),
    Put(put::Put),
    #[command(name = "rm")]
    Remove(remove::Remove),
    Explain(Box<explain::Explain>),
}

impl Policy {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        match self {
            Self::Check(check) => check.run(),
            Self::Test(test) => test.run(),
            Self::List(list) => list.run(global),
            Self::Show(show) => show.run(global),
            Self::Put(put) => put.run(global),
            Self::Remove(remove) => remove.run(global),
            Self::Explain(explain) => explain.run(global),
        }
    }
}

/// The documents in these files, as they would be in force together.
fn read(files: &[PathBuf]) -> Result<(Vec<Document>, PolicySet), Failure> {
    let documents = files.iter().map(|path| document(path)).collect::<Result<Vec<_>, _>>()?;
    for (at, document) in documents.iter().enumerate() {
        if documents.iter().take(at).any(|earlier| earlier.name == document.name) {
            return Err(Failure::usage(format!("two files hold the document {}", document.name)));
        }
    }
    let set = loaded(&documents)?;
    Ok((documents, set))
}

fn loaded(documents: &[Document]) -> Result<PolicySet, Failure> {
    PolicySet::load(documents, 0).map_err(|error| Failure::local(LocalKind::PolicyWrong, error.to_string()))
}

fn document(path: &Path) -> Result<Document, Failure> {
    Document::of_file(path, text(path)?).map_err(Failure::usage)
}

fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::file(format!("{} cannot be read: {error}", path.display()))
            .then("Policies and cases are text files, in UTF-8.")
    })
}
