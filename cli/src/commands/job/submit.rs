//! `countersign job submit`.

use std::fmt;

use clap::{Args, ValueHint};
use countersign_protocol::ids::{Operation, ResourceName};
use countersign_protocol::limits;
use serde::Serialize;
use serde_json::Value;

use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::given::Given;
use crate::job::{Done, Job, Recorded};
use crate::output::Report;

/// Make any request: an operation on a resource, with a body if it takes one. What comes of it is shown as JSON.
///
/// The short forms get, put, patch, rm and ls, and the other commands of this program, make requests of this kind.
#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// What to do: create, read, update, delete, list …
    operation: Operation,

    /// To what: COLLECTION/NAME.
    resource: ResourceName,

    /// With what: a JSON object; - is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    body: Option<Given>,

    #[command(flatten)]
    card: CardChoice,
}

impl Submit {
    pub(super) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let (collection, name) = (self.resource.collection(), self.resource.name());
        let job = Job::new(self.operation.as_str(), collection, name, &self.card)?;
        let job = match &self.body {
            None => job,
            Some(given) => {
                let bytes = given.read(global, "the body", limits::JOB_BODY)?;
                let body: Value = serde_json::from_slice(&bytes).map_err(|error| {
                    Failure::file(format!("{} is not JSON: {error}", given.named("the body")))
                        .then("Nothing was sent.")
                })?;
                job.with(&body)?
            }
        };
        report(job.run(global)?)
    }
}

/// What came of any request.
#[derive(Serialize)]
struct Yielded {
    result: Value,
    #[serde(flatten)]
    recorded: Recorded,
}

/// Shows it as it came.
pub(super) fn report(done: Done<Value>) -> Result<Report, Failure> {
    Report::of(&Yielded { result: done.result, recorded: done.recorded })
}

impl fmt::Display for Yielded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string_pretty(&self.result).map_err(|_| fmt::Error)?)
    }
}
