//! One document: made, read, changed, deleted.

use std::cmp::Ordering;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::DocumentName;
use countersign_protocol::limits;
use countersign_protocol::message::result::{
    Document, DocumentAsked, DocumentChanged, DocumentRemoval, DocumentShown, DocumentUpdate,
};
use serde_json::Value;

use super::plan::{Found, json};
use super::schema::Schemas;
use super::verify::VerifiedJob;
use crate::collections::Collection;
use crate::documents::StoredDocument;
use crate::queue;
use crate::stop::Failure;
use crate::store::{StoreError, View};

/// What is asked of one document, and what it is held to.
pub(super) struct Request<'a> {
    pub(super) view: &'a dyn View,
    pub(super) job: &'a VerifiedJob,
    pub(super) collection: &'a Collection,
    pub(super) schemas: &'a Schemas,
    pub(super) name: DocumentName,
    pub(super) now: Timestamp,
}

impl Request<'_> {
    pub(super) fn create(&self) -> Result<Found, Failure> {
        let document: Document =
            match queue::body(self.job.body.as_deref().unwrap_or_default(), "a JSON object") {
                Ok(document) => document,
                Err(why) => return Ok(Found::Impossible(why)),
            };
        let before = self.view.document(&self.collection.name, &self.name)?;
        if let Some(StoredDocument { body: Some(_), version, .. }) = &before {
            return Ok(Found::Impossible(format!(
                "There is a document {} in {} already, at version {version}. To put another in its place, update it.",
                self.name, self.collection.name
            )));
        }
        self.put(before.map_or(0, |before| before.version), Value::Object(document))
    }

    pub(super) fn update(&self) -> Result<Found, Failure> {
        let wanted: DocumentUpdate =
            match queue::body(self.job.body.as_deref().unwrap_or_default(), "a document or a patch") {
                Ok(wanted) => wanted,
                Err(why) => return Ok(Found::Impossible(why)),
            };
        let (version, before) = match self.newest(wanted.over)? {
            Ok(newest) => newest,
            Err(why) => return Ok(why),
        };
        let after = match (wanted.document, wanted.merge) {
            (Some(document), None) => Value::Object(document),
            (None, Some(patch)) => {
                let mut after = before.clone();
                json_patch::merge(&mut after, &Value::Object(patch));
                after
            }
            _ => {
                return Ok(Found::Impossible(
                    "The body names either the whole document or a merge patch.".into(),
                ));
            }
        };
        if after == before {
            let changed = DocumentChanged { unchanged: true, ..self.changed(version) };
            return Ok(Found::Same {
                reason: "It was like this before.".into(),
                version,
                yields: json(&changed)?,
            });
        }
        self.put(version, after)
    }

    pub(super) fn delete(&self) -> Result<Found, Failure> {
        let wanted: DocumentRemoval = match self.job.body_or_none("a version") {
            Ok(wanted) => wanted,
            Err(why) => return Ok(why),
        };
        match self.newest(wanted.over)? {
            Ok((version, _)) => self.replaced(version, None, "deleted"),
            Err(why) => Ok(why),
        }
    }

    pub(super) fn read(&self) -> Result<Found, Failure> {
        let wanted: DocumentAsked = match self.job.body_or_none("a version") {
            Ok(wanted) => wanted,
            Err(why) => return Ok(why),
        };
        let newest =
            self.view.document(&self.collection.name, &self.name)?.filter(|newest| newest.body.is_some());
        let Some(newest) = newest else { return Ok(missing(&self.name, self.collection)) };
        let (asked, last) = (wanted.version.unwrap_or(newest.version), newest.version);
        let found = match asked.cmp(&last) {
            Ordering::Equal => Some(newest),
            Ordering::Less => self.view.document_version(&self.collection.name, &self.name, asked)?,
            // Whatever number that is: the store is not asked.
            Ordering::Greater => None,
        };
        let Some(found) = found else {
            return Ok(Found::Impossible(format!(
                "The document {} has no version {asked} that is kept; its newest is {last}.",
                self.name
            )));
        };
        let reason = format!("Version {} was read.", found.version);
        Ok(Found::Contents { reason, yields: json(&shown(found, true)?)? })
    }

    /// What there is, if it is what whoever asked has seen.
    fn newest(&self, over: Option<u64>) -> Result<Result<(u64, Value), Found>, Failure> {
        let found = self.view.document(&self.collection.name, &self.name)?;
        let Some(StoredDocument { version, body: Some(body), .. }) = found else {
            return Ok(Err(missing(&self.name, self.collection)));
        };
        if let Some(over) = over.filter(|over| *over != version) {
            return Ok(Err(Found::Impossible(format!(
                "The document {} is at version {version} now, and the request is about version {over}. Nothing was changed: read \
                 it again, and decide anew.",
                self.name
            ))));
        }
        Ok(Ok((version, serde_json::from_str(&body).map_err(|_| unreadable())?)))
    }

    fn put(&self, over: u64, document: Value) -> Result<Found, Failure> {
        let text = document.to_string();
        if depth(&document) > limits::DOCUMENT_DEPTH {
            return Ok(Found::Impossible(format!(
                "The document is nested more than {} levels deep.",
                limits::DOCUMENT_DEPTH
            )));
        }
        if text.len() > limits::DOCUMENT {
            return Ok(Found::Impossible(format!(
                "The document would have {} bytes; at most {} are kept.",
                text.len(),
                limits::DOCUMENT
            )));
        }
        let schema = self.collection.schema.as_deref();
        if let Some(violations) =
            schema.and_then(|schema| self.schemas.violations(schema, &document, text.len()))
        {
            return Ok(Found::Impossible(violations));
        }
        self.replaced(over, Some(text), "written")
    }

    fn replaced(&self, over: u64, body: Option<String>, done: &str) -> Result<Found, Failure> {
        let version = over + 1;
        let document = StoredDocument {
            collection: self.collection.name.clone(),
            name: self.name.clone(),
            version,
            body,
            changed: self.now,
            by: self.job.job.account.clone(),
        };
        let reason = format!("Version {version} was {done}.");
        Ok(Found::Change {
            document: Box::new(document),
            over,
            reason,
            yields: json(&self.changed(version))?,
        })
    }

    fn changed(&self, version: u64) -> DocumentChanged {
        let (collection, name) = (self.collection.name.clone(), self.name.clone());
        DocumentChanged { collection, name, version, unchanged: false }
    }
}

/// As whoever may read it is shown it.
pub(super) fn shown(found: StoredDocument, whole: bool) -> Result<DocumentShown, Failure> {
    let StoredDocument { name, version, body, changed, by, .. } = found;
    let document = match body.filter(|_| whole) {
        Some(body) => Some(serde_json::from_str(&body).map_err(|_| unreadable())?),
        None => None,
    };
    Ok(DocumentShown { name, version, changed, by, document })
}

fn missing(name: &DocumentName, collection: &Collection) -> Found {
    Found::Impossible(format!("There is no document {name} in {}.", collection.name))
}

fn unreadable() -> StoreError {
    StoreError::Corrupt("a document".into())
}

/// Its levels. Reading it has bounded them.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
