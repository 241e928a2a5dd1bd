//! JSON Schemas of collections: as much of them as can be held to within a known time and memory.
//!
//! Nothing is fetched for one, no pattern takes longer than its text is long, and what refers to itself does so a known number of
//! times.

mod expansion;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_protocol::ids::Digest;
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Schemas kept ready.
const MOST: usize = 16;

/// Violations that are told of one document: whoever mends these sees the next ones.
const TOLD: usize = 5;

/// Bytes of a schema times bytes of a document up to which all violations are looked for: there may be as many as that.
const ALL_TOLD: usize = 4 * 1024 * 1024;

/// Bytes that one pattern may take once it is ready.
const PATTERN: usize = 256 * 1024;

/// Schemas that were read a short time ago, by the digest of their text.
#[derive(Default)]
pub(super) struct Schemas(Mutex<HashMap<Digest, Arc<Validator>>>);

impl Schemas {
    /// What of `document`, which has so many bytes, the schema does not permit, in words.
    pub(super) fn violations(&self, schema: &str, document: &Value, bytes: usize) -> Option<String> {
        let validator = match self.get(schema) {
            Ok(validator) => validator,
            Err(why) => {
                return Some(format!(
                    "The collection's schema cannot be read: {why}. Its owner must mend it."
                ));
            }
        };
        // The first one ends the search; all of them are as many as schema and document make them.
        let first = validator.validate(document).err()?;
        let told = if schema.len().saturating_mul(bytes) <= ALL_TOLD {
            validator.iter_errors(document).take(TOLD).map(|error| violation(&error)).collect()
        } else {
            vec![violation(&first)]
        };
        Some(format!("The document does not fit the collection's schema: {}.", told.join("; ")))
    }

    fn get(&self, schema: &str) -> Result<Arc<Validator>, String> {
        let name = Digest::of(schema.as_bytes());
        let kept = |this: &Self| this.0.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(validator) = kept(self) {
            return Ok(validator);
        }
        let validator = Arc::new(read(schema)?);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(name, validator.clone());
        Ok(validator)
    }
}

/// Why this is no schema that documents could be held to.
pub(crate) fn fault_of(schema: &str) -> Option<String> {
    read(schema).err()
}

fn read(schema: &str) -> Result<Validator, String> {
    let schema: Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    expansion::check(&schema)?;
    jsonschema::options()
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN).dfa_size_limit(PATTERN))
        .build(&schema)
        .map_err(|error| violation(&error))
}

fn violation(error: &jsonschema::ValidationError<'_>) -> String {
    const LONGEST: usize = 200;
    let cut = |said: String| match said.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", said.get(..end).unwrap_or_default()),
        None => said,
    };
    let (said, place) = (cut(error.to_string()), cut(error.instance_path().to_string()));
    match place.as_str() {
        "" => said,
        place => format!("at {place}: {said}"),
    }
}
