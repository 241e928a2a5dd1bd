//! JSON Schemas of collections. Nothing is fetched for one, and no pattern takes longer than its text is long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_protocol::ids::Digest;
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Schemas kept ready.
const MOST: usize = 64;

/// Violations that are told of one document: whoever mends these sees the next ones.
const TOLD: usize = 5;

/// Schemas that were read a short time ago, by the digest of their text.
#[derive(Default)]
pub(super) struct Schemas(Mutex<HashMap<Digest, Arc<Validator>>>);

impl Schemas {
    /// What of `document` the schema does not permit, in words.
    pub(super) fn violations(&self, schema: &str, document: &Value) -> Option<String> {
        let validator = match self.get(schema) {
            Ok(validator) => validator,
            Err(why) => {
                return Some(format!(
                    "The collection's schema cannot be read: {why}. Its owner must mend it."
                ));
            }
        };
        let mut errors = validator.iter_errors(document);
        let told: Vec<String> = errors.by_ref().take(TOLD).map(|error| violation(&error)).collect();
        if told.is_empty() {
            return None;
        }
        let more = if errors.next().is_some() { "; and more" } else { "" };
        Some(format!("The document does not fit the collection's schema: {}{more}.", told.join("; ")))
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
    jsonschema::options()
        .offline()
        .with_pattern_options(PatternOptions::regex())
        .build(&schema)
        .map_err(|error| violation(&error))
}

fn violation(error: &jsonschema::ValidationError<'_>) -> String {
    const LONGEST: usize = 200;
    let said = error.to_string();
    let said: String = match said.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", said.get(..end).unwrap_or_default()),
        None => said,
    };
    match error.instance_path().as_str() {
        "" => said,
        place => format!("at {place}: {said}"),
    }
}
