//! What the control socket answers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::command::Misunderstood;
use crate::bench::{State, TouchMode};

/// One line of JSON.
#[derive(Debug, Serialize)]
pub(super) struct Reply {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(flatten)]
    status: Option<Status>,
    #[serde(flatten)]
    count: Option<Count>,
}

impl Reply {
    pub(super) fn done() -> Self {
        Self { ok: true, error: None, status: None, count: None }
    }

    pub(super) fn refused(error: &Misunderstood) -> Self {
        Self { ok: false, error: Some(error.to_string()), ..Self::done() }
    }

    pub(super) fn status(status: Status) -> Self {
        Self { status: Some(status), ..Self::done() }
    }

    pub(super) fn count(count: Count) -> Self {
        Self { count: Some(count), ..Self::done() }
    }
}

/// Where the card is and what it waits for.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    ident: String,
    inserted: bool,
    connected: bool,
    powered: bool,
    hanging: bool,
    touch: TouchMode,
    waiting_for_touch: bool,
    pending_faults: usize,
}

impl Status {
    pub(super) fn of(state: &State, ident: &str) -> Self {
        Self {
            ident: ident.to_owned(),
            inserted: state.inserted,
            connected: state.connected(),
            powered: state.powered,
            hanging: state.hanging,
            touch: state.touch,
            waiting_for_touch: state.blinking,
            pending_faults: state.faults.pending(),
        }
    }
}

/// The commands seen.
#[derive(Debug, Serialize)]
pub(super) struct Count {
    total: usize,
    by_name: BTreeMap<String, usize>,
    order: Vec<String>,
    refused_pins: usize,
    worked_us: u64,
}

impl Count {
    pub(super) fn of(state: &State) -> Self {
        Self::new(&state.journal, state.refused_pins, state.worked)
    }

    fn new(journal: &[String], refused_pins: usize, worked: Duration) -> Self {
        let mut by_name = BTreeMap::new();
        for name in journal {
            *by_name.entry(name.clone()).or_insert(0) += 1;
        }
        let worked_us = u64::try_from(worked.as_micros()).unwrap_or(u64::MAX);
        Self { total: journal.len(), by_name, order: journal.to_vec(), refused_pins, worked_us }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_has_the_total_the_names_and_the_order() {
        let journal = ["VERIFY", "PSO_CDS", "VERIFY"].map(str::to_owned);
        assert_eq!(
            serde_json::to_value(Reply::count(Count::new(&journal, 1, Duration::from_millis(2)))).unwrap(),
            serde_json::json!({
                "ok": true,
                "total": 3,
                "by_name": {"PSO_CDS": 1, "VERIFY": 2},
                "order": ["VERIFY", "PSO_CDS", "VERIFY"],
                "refused_pins": 1,
                "worked_us": 2000,
            })
        );
        assert_eq!(serde_json::to_string(&Reply::done()).unwrap(), r#"{"ok":true}"#);
    }
}
