//! `countersign-server policy`: the documents of policies, on the server's own machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use countersign_protocol::clock::SystemClock;
use countersign_protocol::ids::PolicyName;
use countersign_protocol::random::SystemRandom;
use countersign_server_core::policy::{Cases, Change, DEFAULT, DEFAULT_NAME, Document, Over, PolicySet};

use super::{CommandError, own_files, print};
use crate::policy::{self, ImportError};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Check policy documents together: syntax, schema, ids.
    Check {
        /// The documents, each called like its file without .cedar; all that shall be in force together.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Put documents into the database here, where no request can: each change is an entry of the ledger.
    ///
    /// All of them or none. A server that runs decides by them from its next request on. Refused is what nobody could
    /// change back by a request, and what would keep all administrators from logging in.
    Import {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The documents, each called like its file without .cedar.
        #[arg(value_name = "DOCUMENT")]
        files: Vec<PathBuf>,
        /// Put the policy that a new server of this release begins with, as the document default.
        #[arg(long)]
        default: bool,
        /// Take this document out.
        #[arg(long, value_name = "NAME")]
        remove: Vec<PolicyName>,
        /// Also what only this machine could change back.
        #[arg(long)]
        alone: bool,
    },
    /// Show the documents in the database, or the text of one of them.
    Show {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Which document; all of them, without their texts, if none is named.
        name: Option<PolicyName>,
        /// Which version; the newest if none is named.
        #[arg(long, requires = "name")]
        version: Option<u64>,
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
        PolicyCommand::Import { config, files, default, remove, alone } => {
            let mut documents = files.iter().map(|path| document(path)).collect::<Result<Vec<_>, _>>()?;
            if *default {
                documents.push(the_default()?);
            }
            import(config, &documents, remove, *alone)
        }
        PolicyCommand::Show { config, name, version } => show(config, name.as_ref(), *version),
    }
}

fn check(files: &[PathBuf]) -> Result<(), CommandError> {
    let set = read(files)?;
    print(&format!("Good: {} policies in {} documents.\n", set.size(), files.len()));
    for (id, needs) in set.approvals() {
        print(&format!(
            "{id} asks for {needs}. With fewer active people, each with a card, import refuses it.\n"
        ));
    }
    Ok(())
}

fn the_default() -> Result<Document, CommandError> {
    let name = DEFAULT_NAME.parse().map_err(|error| CommandError::Failed(format!("{error}")))?;
    Ok(Document { name, text: DEFAULT.to_owned() })
}

fn import(
    config: &Path,
    documents: &[Document],
    remove: &[PolicyName],
    alone: bool,
) -> Result<(), CommandError> {
    if documents.is_empty() && remove.is_empty() {
        return Err(CommandError::Failed("name a document to put or to take out".into()));
    }
    let mut named = BTreeSet::new();
    if let Some(twice) =
        documents.iter().map(|document| &document.name).chain(remove).find(|name| !named.insert(*name))
    {
        return Err(CommandError::Failed(format!("the document {twice} is named twice")));
    }
    let put = documents.iter().map(|document| Change {
        name: &document.name,
        over: Over::Whatever,
        text: Some(&document.text),
    });
    let out = remove.iter().map(|name| Change { name, over: Over::Whatever, text: None });
    // One that is taken out may leave its ids to one that is put.
    let changes: Vec<Change<'_>> = out.chain(put).collect();
    let (store, keys) = own_files::store_and_keys(config)?;
    let versions = policy::import(&*store, &keys.ledger, &changes, alone, &SystemClock, &SystemRandom);
    let versions = versions.map_err(|error| match error {
        ImportError::Store(_) => CommandError::Data(error.to_string()),
        _ => CommandError::Failed(error.to_string()),
    })?;
    for (version, changed) in &versions {
        let what = match (changed, version.digest) {
            (false, _) => "as it was",
            (true, Some(_)) => "put",
            (true, None) => "taken out",
        };
        print(&format!("{} version {}: {what} (epoch {})\n", version.name, version.version, version.epoch));
    }
    Ok(())
}

fn show(config: &Path, name: Option<&PolicyName>, version: Option<u64>) -> Result<(), CommandError> {
    let (store, _) = own_files::store_and_keys(config)?;
    let failed = |error: &dyn std::fmt::Display| CommandError::Data(error.to_string());
    let view = store.view().map_err(|error| failed(&error))?;
    let Some(name) = name else {
        for one in view.newest_policies().map_err(|error| failed(&error))? {
            let state = if one.digest.is_some() { "" } else { ", taken out" };
            print(&format!("{} version {}, of {}{state}\n", one.name, one.version, one.since));
        }
        return Ok(());
    };
    let newest = view.policy_history(name).map_err(|error| failed(&error))?;
    let version = version.or_else(|| newest.first().map(|newest| newest.version));
    let text = version.map(|version| view.policy_text(name, version)).transpose();
    match text.map_err(|error| failed(&error))?.flatten() {
        Some(text) => {
            print(&text);
            Ok(())
        }
        None => Err(CommandError::Failed(format!("there is no such text of a document {name}"))),
    }
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
