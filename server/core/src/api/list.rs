//! Documents of a collection, page by page.

use countersign_protocol::ids::DocumentName;
use countersign_protocol::limits;
use countersign_protocol::message::result::{DocumentList, DocumentsAsked};
use serde_json::Value;

use super::documents::shown;
use super::plan::{Found, json};
use super::verify::VerifiedJob;
use crate::collections::Collection;
use crate::stop::Failure;
use crate::store::{StoreError, View};

/// Documents read at once, each of up to a mebibyte.
const STEP: u64 = 16;

/// Bytes of documents looked at for one page: nobody else waits for longer than that takes.
const LOOKED: usize = 16 * 1024 * 1024;

/// Documents on a page, if nobody says how many.
const USUAL: u64 = 100;

/// As many bytes of documents as fit one reply, with room for what is around them.
const FITS: usize = limits::JOB_BODY - limits::JOB_BODY / 16;

pub(super) fn list(view: &dyn View, job: &VerifiedJob, collection: &Collection) -> Result<Found, Failure> {
    let wanted: DocumentsAsked = match job.body_or_none("what to list") {
        Ok(wanted) => wanted,
        Err(why) => return Ok(why),
    };
    let most = wanted.most.unwrap_or(USUAL).clamp(1, limits::DOCUMENTS_PAGE);
    let filter = Value::Object(wanted.filter);
    let mut after = wanted.after.as_ref().map_or_else(String::new, ToString::to_string);
    let (mut documents, mut looked, mut size) = (Vec::new(), 0, 0);
    let mut read = 0;
    let next = 'pages: loop {
        let step = view.documents_after(&collection.name, &after, STEP)?;
        let is_last = u64::try_from(step.len()).unwrap_or(u64::MAX) < STEP;
        for found in step {
            let body = found.body.as_deref().unwrap_or_default();
            read += body.len();
            let value: Value =
                serde_json::from_str(body).map_err(|_| StoreError::Corrupt("a document".into()))?;
            if holds(&value, &filter) {
                let more = if wanted.names_only { 0 } else { body.len() } + 200;
                if documents.len() >= usize::try_from(most).unwrap_or(usize::MAX)
                    || (size + more > FITS && !documents.is_empty())
                {
                    break 'pages Some(after);
                }
                size += more;
                after = found.name.to_string();
                documents.push(shown(found, !wanted.names_only)?);
            } else {
                after = found.name.to_string();
            }
            looked += 1;
            if looked >= limits::DOCUMENTS_PAGE || read >= LOOKED {
                break 'pages Some(after);
            }
        }
        if is_last {
            break None;
        }
    };
    let next = next.and_then(|name| name.parse::<DocumentName>().ok());
    let reason = format!("{} documents were listed.", documents.len());
    Ok(Found::Contents { reason, yields: json(&DocumentList { documents, next })? })
}

/// Whether a document holds everything that the filter names.
fn holds(value: &Value, filter: &Value) -> bool {
    match (value, filter) {
        (Value::Object(value), Value::Object(filter)) => {
            filter.iter().all(|(name, wanted)| value.get(name).is_some_and(|value| holds(value, wanted)))
        }
        _ => value == filter,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_holds_what_a_filter_names_and_no_more_is_asked_of_it() {
        let document = json!({"kind": "router", "at": {"city": "Rome", "rack": 7}, "tags": ["a", "b"]});
        for held in
            [json!({}), json!({"kind": "router"}), json!({"at": {"rack": 7}}), json!({"tags": ["a", "b"]})]
        {
            assert!(holds(&document, &held), "{held}");
        }
        for not in [
            json!({"kind": "switch"}),
            json!({"at": {"rack": "7"}}),
            json!({"tags": ["a"]}),
            json!({"x": null}),
        ] {
            assert!(!holds(&document, &not), "{not}");
        }
    }
}
