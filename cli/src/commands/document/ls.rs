//! `countersign ls`.

use std::fmt;

use clap::Args;
use countersign_protocol::ids::{CollectionName, DocumentName};
use countersign_protocol::limits;
use countersign_protocol::message::result::{Document, DocumentList, DocumentShown, DocumentsAsked};
use serde::Serialize;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// List the documents of a collection. The list comes sealed to your card, which opens it.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Which collection.
    collection: CollectionName,

    /// Only documents that hold all of this: a JSON object, such as '{"ward": "North"}'.
    #[arg(long, value_name = "JSON", value_parser = object)]
    filter: Option<Document>,

    /// Begin after this name, where one page was not enough.
    #[arg(long, value_name = "NAME")]
    after: Option<DocumentName>,

    /// At most so many.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=limits::DOCUMENTS_PAGE))]
    most: Option<u64>,

    /// With what they hold.
    #[arg(long)]
    whole: bool,

    #[command(flatten)]
    card: CardChoice,
}

fn object(text: &str) -> Result<Document, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON object: {error}"))
}

impl Ls {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let body = DocumentsAsked {
            filter: self.filter.clone().unwrap_or_default(),
            after: self.after.clone(),
            most: self.most,
            names_only: !self.whole,
        };
        let job = Job::new("list", "collection", self.collection.as_str(), &self.card)?.with(&body)?;
        Report::of(&Listed { list: job.run(global)?.result })
    }
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    list: DocumentList,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.list.documents;
        let width = found.iter().map(|one| one.name.as_str().len()).max().unwrap_or(0).max(8);
        writeln!(f, "{:width$}  VERSION  CHANGED               BY", "DOCUMENT")?;
        for DocumentShown { name, version, changed, by, document } in found {
            writeln!(f, "{:width$}  {version:7}  {changed}  {by}", name.as_str())?;
            if let Some(document) = document {
                writeln!(f, "  {}", serde_json::to_string(document).map_err(|_| fmt::Error)?)?;
            }
        }
        match &self.list.next {
            Some(next) => writeln!(f, "There are more: --after {next}"),
            None => Ok(()),
        }
    }
}
