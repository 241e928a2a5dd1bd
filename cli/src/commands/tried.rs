//! What came of a request that was only tried.

use std::fmt;

use countersign_protocol::ids::CorrelationId;
use countersign_protocol::message::Decision;
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::{Failure, Kind};
use crate::output::{Report, Tone};

#[derive(Serialize)]
struct Tried {
    dry_run: Decision,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<CorrelationId>,
    #[serde(skip)]
    recorded: String,
}

pub(super) fn report(
    decision: Decision,
    reason: String,
    recorded: Option<String>,
    correlation: Option<CorrelationId>,
) -> Result<Report, Failure> {
    let tone = if decision == Decision::Allowed { Tone::Good } else { Tone::Attention };
    let recorded = recorded.unwrap_or_default();
    let report = Report::of(&Tried { dry_run: decision, reason, correlation, recorded })?;
    Ok(report.ending(Exit::from(Kind::Tried(decision)), tone))
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.reason)?;
        writeln!(f, "{}", self.recorded)
    }
}
