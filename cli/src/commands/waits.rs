//! A request that is not done so far, because other people must approve it.

use std::fmt;

use countersign_protocol::ids::CorrelationId;
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::{Failure, Kind};
use crate::output::{Report, Tone};

#[derive(Serialize)]
struct Waits {
    waiting: bool,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<CorrelationId>,
    #[serde(skip)]
    next: String,
}

pub(super) fn report(
    reason: String,
    next: Option<String>,
    request: Option<CorrelationId>,
) -> Result<Report, Failure> {
    let report = Report::of(&Waits { waiting: true, reason, request, next: next.unwrap_or_default() })?;
    Ok(report.ending(Exit::from(Kind::Waits), Tone::Attention))
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.reason)?;
        writeln!(f, "{}", self.next)
    }
}
