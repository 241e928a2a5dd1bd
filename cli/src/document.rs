//! Documents of collections, as people name them and hand them over.

use std::fmt;
use std::str::FromStr;

use countersign_protocol::ids::{CollectionName, DocumentName};
use countersign_protocol::limits;
use countersign_protocol::message::result::{Document, DocumentChanged};
use serde::Serialize;

use crate::args::Global;
use crate::failure::Failure;
use crate::given::Given;
use crate::job::{Done, Recorded};
use crate::output::Report;

/// `COLLECTION/NAME`.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    pub(crate) collection: CollectionName,
    pub(crate) name: DocumentName,
}

impl FromStr for Path {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (collection, name) = text.split_once('/').ok_or("a document is named COLLECTION/NAME")?;
        let wrong = |error: countersign_protocol::ids::InvalidId| error.to_string();
        Ok(Self { collection: collection.parse().map_err(wrong)?, name: name.parse().map_err(wrong)? })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.collection, self.name)
    }
}

/// A JSON object from a file or standard input.
pub(crate) fn object(global: &Global, given: &Given, what: &str) -> Result<Document, Failure> {
    let bytes = given.read(global, what, limits::JOB_BODY)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::file(format!("{} is no JSON object: {error}", given.named(what))).then("Nothing was sent.")
    })
}

/// What a change yields, for people and programs.
#[derive(Serialize)]
struct Changed {
    #[serde(flatten)]
    changed: DocumentChanged,
    #[serde(flatten)]
    recorded: Recorded,
    #[serde(skip)]
    done: &'static str,
}

/// Tells that a document was `done`.
pub(crate) fn changed(done: Done<DocumentChanged>, word: &'static str) -> Result<Report, Failure> {
    Report::of(&Changed { changed: done.result, recorded: done.recorded, done: word })
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DocumentChanged { collection, name, version, unchanged } = &self.changed;
        match unchanged {
            true => writeln!(f, "{collection}/{name} was like this before, at version {version}.")?,
            false => writeln!(f, "{collection}/{name} was {}: version {version}.", self.done)?,
        }
        writeln!(f, "  recorded    entry {} of the ledger", self.recorded.ledger_index)
    }
}
