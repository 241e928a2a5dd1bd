//! Everything under one id, as a story with a headline.

use std::fmt;

use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ipc::JournalEntry;
use serde::Serialize;

use super::line::{missing, time, what};
use crate::column::{item, row};

/// The entries of one id, the oldest first.
#[derive(Serialize)]
pub(super) struct Story {
    pub(super) correlation: CorrelationId,
    pub(super) entries: Vec<JournalEntry>,
}

/// What is said of an entry beside its own sentence, and under which label.
const MORE: [(&str, &str); 6] = [
    ("reason", "because"),
    ("card", "card"),
    ("operation", "asked"),
    ("resource", "on"),
    ("ledger_correlation", "there as"),
    ("statement", "statement"),
];

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        item(f, "", &self.headline())?;
        for entry in &self.entries {
            writeln!(f, "\n{} UTC  {}", time(entry.at), what(entry))?;
            chapter(f, entry)?;
        }
        Ok(())
    }
}

impl Story {
    fn headline(&self) -> String {
        let id = &self.correlation;
        let login = self.entries.iter().find_map(|entry| entry.login.as_ref());
        let service = self.entries.iter().find_map(|entry| entry.service.as_ref());
        let asked = match (login, service) {
            (Some(login), Some(service)) if self.decision().is_none() => {
                format!("a session of {login} through {service}")
            }
            (Some(login), Some(service)) => format!("a login as {login} through {service}"),
            (Some(login), None) => format!("a login as {login}"),
            (None, _) => match self.entries.iter().find_map(|entry| entry.more.get("operation")) {
                Some(operation) => {
                    let resource = self.entries.iter().find_map(|entry| entry.more.get("resource"));
                    format!("a request to {operation} {}", resource.map_or("", String::as_str))
                }
                None => "a request".to_owned(),
            },
        };
        format!("{id} is {asked}. {}", self.ending())
    }

    /// The last entry that is not about the session that followed; none if it is about nothing else.
    fn decision(&self) -> Option<&JournalEntry> {
        let is_session =
            |entry: &JournalEntry| matches!(entry.event.as_str(), "session-opened" | "session-closed");
        self.entries.iter().rev().find(|entry| !is_session(entry))
    }

    /// How it ended, as far as this host knows.
    fn ending(&self) -> String {
        let ledger = |entry: &JournalEntry| {
            entry.ledger_index.map(|index| format!(", entry {index} of the ledger")).unwrap_or_default()
        };
        let is_settled = |entry: &&JournalEntry| entry.event == "request-settled";
        if let Some(entry) = self.entries.iter().rev().find(is_settled) {
            return match entry.outcome.as_deref() {
                Some("allowed") => {
                    format!("Its answer was lost; the server had allowed it{}.", ledger(entry))
                }
                Some("denied") => format!("Its answer was lost; the server had denied it{}.", ledger(entry)),
                Some("never-happened") => "It never reached the server, and never will.".to_owned(),
                _ => "Its answer was lost, and it is too long ago to find out here.".to_owned(),
            };
        }
        let Some(last) = self.decision() else {
            let has_ended = self.entries.iter().any(|entry| entry.event == "session-closed");
            return if has_ended { "It has ended." } else { "It goes on, as far as this host knows." }
                .to_owned();
        };
        match (last.event.as_str(), last.outcome.as_deref()) {
            ("login-allowed", _) | (_, Some("allowed")) => format!("It was allowed{}.", ledger(last)),
            ("login-denied", _) | (_, Some("denied")) => {
                format!("The server denied it{}.", ledger(last))
            }
            ("account-allowed", _) => "It was allowed.".to_owned(),
            ("denied-here", _) => "This host denied it.".to_owned(),
            _ => format!("It ended here: {}.", what(last)),
        }
    }
}

fn chapter(f: &mut fmt::Formatter<'_>, entry: &JournalEntry) -> fmt::Result {
    if let Some(told) = &entry.told {
        row(f, "told", told)?;
    }
    if let Some(account) = &entry.account {
        row(f, "account", account)?;
    }
    for (name, label) in MORE {
        if let Some(text) = entry.more.get(name) {
            row(f, label, text)?;
        }
    }
    match (entry.ledger_index, entry.report) {
        (Some(index), _) => row(f, "ledger", &format!("entry {index}")),
        (None, Some(report)) => row(f, "ledger", missing(report)),
        (None, None) => Ok(()),
    }
}
