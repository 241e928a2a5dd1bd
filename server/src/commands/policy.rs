//! `countersign-server policy`: the documents of policies, on the server's own machine.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use countersign_server_core::policy::{Cases, Document, PolicySet};

use super::{CommandError, print};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Check policy documents together: syntax, schema, ids.
    Check {
        /// The documents, each called like its file without .cedar; all that shall be in force together.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Ask policy documents about requests written down in a file.
    Test {
        /// The documents, as for `check`.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The cases, in TOML; docs/policy.md has an example.
        #[arg(long, value_name = "FILE")]
        cases: PathBuf,
    },
}

pub(super) fn run(command: &PolicyCommand) -> Result<(), CommandError> {
    match command {
        PolicyCommand::Check { files } => check(files),
        PolicyCommand::Test { files, cases } => test(files, cases),
    }
}

fn check(files: &[PathBuf]) -> Result<(), CommandError> {
    let set = read(files)?;
    print(&format!("Good: {} policies in {} documents.\n", set.size(), files.len()));
    Ok(())
}

fn test(files: &[PathBuf], cases: &Path) -> Result<(), CommandError> {
    let set = read(files)?;
    let wrong = |why: String| CommandError::Failed(format!("{}: {why}", cases.display()));
    let results = Cases::read(&text(cases)?).and_then(|cases| cases.ask(&set)).map_err(wrong)?;
    for result in &results {
        print(&format!("{result}\n"));
    }
    match results.iter().filter(|result| !result.passed).count() {
        0 => Ok(()),
        failed => {
            Err(CommandError::Failed(format!("{failed} of {} cases are not as they shall be", results.len())))
        }
    }
}

fn read(files: &[PathBuf]) -> Result<PolicySet, CommandError> {
    let documents = files.iter().map(|path| document(path)).collect::<Result<Vec<_>, _>>()?;
    PolicySet::load(&documents, 0).map_err(|error| CommandError::Failed(error.to_string()))
}

fn document(path: &Path) -> Result<Document, CommandError> {
    Document::of_file(path, text(path)?).map_err(CommandError::Failed)
}

fn text(path: &Path) -> Result<String, CommandError> {
    std::fs::read_to_string(path)
        .map_err(|error| CommandError::Failed(format!("{} cannot be read: {error}", path.display())))
}
