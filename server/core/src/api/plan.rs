//! What is to be written for a job, and what came of it if that is written.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::CollectionName;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::schema::Schemas;
use super::verify::VerifiedJob;
use super::{documents, list};
use crate::documents::StoredDocument;
use crate::queue::{self, Job, Resolution, Yield};
use crate::stop::Failure;
use crate::store::View;

/// A version that is to be put over another, if that is the newest still; and what to say then.
pub(super) struct Plan {
    pub(super) write: Option<(StoredDocument, u64)>,
    pub(super) resolution: Resolution,
}

/// What one operation comes to.
pub(super) enum Found {
    /// It changes a document.
    Change { document: Box<StoredDocument>, over: u64, reason: String, yields: Vec<u8> },
    /// It changes nothing and yields this, which is for anybody to see.
    Same { reason: String, version: u64, yields: Vec<u8> },
    /// It yields contents.
    Contents { reason: String, yields: Vec<u8> },
    /// It cannot be done.
    Impossible(String),
}

impl Plan {
    pub(super) fn failed(why: &str) -> Self {
        Self { write: None, resolution: Resolution::failed(why) }
    }
}

impl VerifiedJob {
    /// The typed body; as good as none, where there is none.
    pub(super) fn body_or_none<B: DeserializeOwned + Default>(&self, what: &str) -> Result<B, Found> {
        match self.body.as_deref().map(|body| queue::body(body, what)) {
            None => Ok(B::default()),
            Some(body) => body.map_err(Found::Impossible),
        }
    }
}

/// The collection that a job is about.
pub(super) fn collection_of(job: &Job) -> Option<CollectionName> {
    match job.operation.as_str() {
        "list" => job.resource.name().parse().ok(),
        _ => job.resource.collection().parse().ok(),
    }
}

/// Finds out what comes of a job.
pub(super) fn of(
    view: &dyn View,
    job: &VerifiedJob,
    schemas: &Schemas,
    now: Timestamp,
) -> Result<Plan, Failure> {
    let Some(name) = collection_of(&job.job) else {
        return Ok(Plan::failed("There is no such collection."));
    };
    let Some(collection) = view.collection(&name)? else {
        return Ok(Plan::failed("There is no such collection."));
    };
    let found = match (job.job.operation.as_str(), job.job.resource.name().parse()) {
        ("list", _) => list::list(view, job, &collection)?,
        (operation, Ok(name)) => {
            let request = documents::Request { view, job, collection: &collection, schemas, name, now };
            match operation {
                "create" => request.create()?,
                "read" => request.read()?,
                "update" => request.update()?,
                "delete" => request.delete()?,
                other => Found::Impossible(format!("Documents know no operation {other}.")),
            }
        }
        (_, Err(_)) => Found::Impossible("That is no document's name.".into()),
    };
    let done = |reason: String, version: Option<u64>, yields: Yield| Resolution {
        done: true,
        reason,
        version,
        yields,
    };
    Ok(match found {
        Found::Change { document, over, reason, yields } => {
            let resolution = done(reason, Some(document.version), Yield::Plain(yields));
            Plan { write: Some((*document, over)), resolution }
        }
        Found::Same { reason, version, yields } => {
            Plan { write: None, resolution: done(reason, Some(version), Yield::Plain(yields)) }
        }
        Found::Contents { reason, yields } => match sealed(job, &yields, now) {
            Ok(sealed) => Plan { write: None, resolution: done(reason, None, Yield::Sealed(sealed)) },
            Err(why) => Plan::failed(&why),
        },
        Found::Impossible(why) => Plan::failed(&why),
    })
}

/// Only the card of whoever asked opens it.
fn sealed(job: &VerifiedJob, yields: &[u8], now: Timestamp) -> Result<Vec<u8>, String> {
    let cert =
        countersign_protocol::certificate::parse(&job.certificate).map_err(|error| error.to_string())?;
    countersign_protocol::envelope::seal_to_card(&cert, yields, now).map_err(|error| error.to_string())
}

pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::Reply(error.to_string()))
}
