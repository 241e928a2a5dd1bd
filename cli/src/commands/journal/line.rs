//! An entry of the journal in one or two lines.

use std::fmt;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ipc::{JournalEntry, ReportState};

use crate::column::item;

/// When, what, about whom, and the id.
pub(crate) fn short(entry: &JournalEntry) -> String {
    let id = entry.correlation.as_deref().unwrap_or("");
    let text = format!("{}  {:<22}  {:<22}", time(entry.at), what(entry), about(entry));
    format!("{text}  {id}").trim_end().to_owned()
}

/// The same, and below it what the person was told.
pub(super) fn write(f: &mut fmt::Formatter<'_>, entry: &JournalEntry) -> fmt::Result {
    writeln!(f, "{}", short(entry))?;
    let report = entry.report.map(|report| format!("({})", missing(report)));
    let told: Vec<&str> = entry.told.as_deref().into_iter().chain(report.as_deref()).collect();
    if told.is_empty() { Ok(()) } else { item(f, "    ", &told.join(" ")) }
}

/// A time as people write it; the journal's are all UTC.
pub(super) fn time(at: Timestamp) -> String {
    at.to_string().replace('T', " ").replace('Z', "")
}

/// What happened, in two or three words.
pub(super) fn what(entry: &JournalEntry) -> String {
    let outcome = |text: &str| text.replace('-', " ");
    match (entry.event.as_str(), entry.outcome.as_deref()) {
        ("request-settled", Some(found)) => format!("settled: {}", outcome(found)),
        ("denied-here", _) => "login denied".to_owned(),
        ("job", Some(found)) => format!("request {}", outcome(found)),
        (event, _) => event.replace('-', " "),
    }
}

/// Who and through what, or what was asked.
fn about(entry: &JournalEntry) -> String {
    let asked = |name: &str| entry.more.get(name).map(String::as_str);
    match (&entry.login, &entry.service, asked("operation"), asked("resource")) {
        (Some(login), Some(service), _, _) => format!("{login}, {service}"),
        (Some(login), None, _, _) => login.clone(),
        (None, _, Some(operation), Some(resource)) => format!("{operation} {resource}"),
        _ => entry.account.clone().unwrap_or_default(),
    }
}

/// Why the ledger does not have it.
pub(super) const fn missing(report: ReportState) -> &'static str {
    match report {
        ReportState::Unsent => "not in the server's ledger yet",
        ReportState::Refused => "the server will not have it in its ledger",
        ReportState::Disputed => "the server disputes it",
    }
}
