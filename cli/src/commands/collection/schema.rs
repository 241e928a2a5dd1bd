//! The schema of a collection, as somebody hands it over.

use countersign_protocol::limits;
use serde_json::Value;

use crate::args::Global;
use crate::failure::Failure;
use crate::given::Given;

/// Reads it. What the server would refuse at once is refused before a PIN is asked.
///
/// # Errors
/// [`Failure`] also for what is no JSON object.
pub(super) fn read(global: &Global, given: &Given) -> Result<String, Failure> {
    let text = given.text(global, "the schema", limits::COLLECTION_SCHEMA)?;
    let why = match serde_json::from_str(&text) {
        Ok(Value::Object(_)) => return Ok(text),
        Ok(_) => "is JSON, but no object, as every schema is".to_owned(),
        Err(error) => format!("is not JSON: {error}"),
    };
    Err(Failure::file(format!("{} {why}", given.named("the schema")))
        .then("Nothing was sent. Mend it and run the command again."))
}
