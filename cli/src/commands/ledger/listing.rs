//! An entry of the ledger as a person reads it.

use std::fmt;

use countersign_protocol::ledger::{Entry, EntryKind, Outcome, detail};
use countersign_protocol::message::result::Evidence;
use countersign_protocol::statement::Statement;
use serde::Serialize;

/// As much of what a program said of itself as a line takes.
const CLAIM: usize = 160;

/// An entry at its place.
#[derive(Serialize)]
pub(super) struct Listed {
    pub(super) index: u64,
    /// Whether what the person signed lies beside it.
    pub(super) evidence_here: bool,
    /// What the program that asked said of itself, as the person signed it. Nobody checked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) claimed: Option<String>,
    #[serde(flatten)]
    pub(super) entry: Entry,
}

impl Listed {
    pub(super) fn new(index: u64, entry: Entry, evidence: Option<&Evidence>) -> Self {
        let statement = evidence.and_then(|found| Statement::from_bytes(&found.signed.statement.0).ok());
        let claimed = statement.and_then(|statement| statement.claimed);
        Self { index, evidence_here: evidence.is_some(), claimed, entry }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = &self.entry;
        let signed = match (self.evidence_here, entry.evidence) {
            (true, _) => ", signed",
            (false, Some(_)) => ", signed; the statement is erased",
            (false, None) => "",
        };
        writeln!(
            f,
            "{:>5}  {}  {:<7}  {}: {}{signed}",
            self.index,
            entry.time,
            word(entry.decision),
            who(entry),
            what(entry)
        )?;
        writeln!(f, "       {} ({})", entry.reason, entry.correlation)?;
        if let Some(by) = entry.detail.get(detail::APPROVED_BY) {
            let places: Vec<&str> = by.split(' ').filter_map(|one| Some(one.split_once(':')?.0)).collect();
            let needed = entry.detail.get(detail::APPROVALS_NEEDED).map_or("", String::as_str);
            writeln!(f, "       took {needed}; approved in the entries {}", places.join(", "))?;
        }
        let Some(claimed) = &self.claimed else { return Ok(()) };
        let by = entry.service.as_ref().map_or("the program", |service| service.as_str());
        let line: String = claimed.chars().map(|c| if c == '\n' { ' ' } else { c }).take(CLAIM).collect();
        let more = if claimed.chars().count() > CLAIM { "…" } else { "" };
        writeln!(f, "       claimed by {by}: {line}{more}")
    }
}

const fn word(decision: Outcome) -> &'static str {
    match decision {
        Outcome::Allowed => "allowed",
        Outcome::Denied => "DENIED",
        Outcome::Noted => "noted",
    }
}

/// The account, else the host, else the application, else the server itself.
fn who(entry: &Entry) -> String {
    let account = entry.account.as_ref().map(ToString::to_string);
    let host = || entry.instance.as_ref().map(|instance| format!("host {}", short(&instance.to_string())));
    let application = || entry.application.as_ref().map(|name| format!("application {name}"));
    account.or_else(host).or_else(application).unwrap_or_else(|| "server".to_owned())
}

fn what(entry: &Entry) -> String {
    let told = |key: &str| entry.detail.get(key).map_or("", String::as_str);
    match entry.kind {
        EntryKind::Bootstrap if entry.detail.contains_key("token") => {
            format!("enrolment token {} made on the server's machine", told("token"))
        }
        EntryKind::Bootstrap => "server initialised".to_owned(),
        EntryKind::Enrolment => {
            format!(
                "host enrolled, key words {}, calls itself {}",
                told("key-words"),
                told("claimed-hostname")
            )
        }
        EntryKind::KeyUpdate => "new session keys".to_owned(),
        EntryKind::Rotation => "host key replaced".to_owned(),
        EntryKind::CheckIn => "check-in".to_owned(),
        EntryKind::Registration => "card registered".to_owned(),
        EntryKind::RegistrationTry => "on the way to a registration".to_owned(),
        EntryKind::Recovery => format!("recovery {} begun", told("recovery")),
        EntryKind::Revocation => "revocation certificate".to_owned(),
        EntryKind::Job => job(entry),
        EntryKind::JobDone => match entry.detail.get("version") {
            Some(version) => format!("{}: version {version}", job(entry)),
            None => format!("{}: what came of it", job(entry)),
        },
        EntryKind::JobResult => format!("{}: its result", job(entry)),
        EntryKind::NeverHappened => "request that never came".to_owned(),
        EntryKind::HostEvent => format!("{}{}", told("event").replace('-', " "), login(entry)),
        EntryKind::OfflineUse => format!("let in without the server{}", login(entry)),
        EntryKind::Undelivered => "letter not delivered".to_owned(),
        EntryKind::Refusal => "message refused".to_owned(),
        EntryKind::Alarm => match told("event") {
            "" => "ALARM".to_owned(),
            event => format!("ALARM: {}{}", event.replace('-', " "), login(entry)),
        },
    }
}

fn job(entry: &Entry) -> String {
    let operation = entry.operation.as_ref().map_or("request", |operation| operation.as_str());
    match (&entry.resource, operation) {
        (_, "open-session") => format!("log in{}", login(entry)),
        (Some(resource), _) => format!("{operation} {resource}"),
        (None, _) => operation.to_owned(),
    }
}

fn login(entry: &Entry) -> String {
    let login = entry.login.iter().map(|login| format!(" as {login}"));
    let service = entry.service.iter().map(|service| format!(" through {service}"));
    let host = entry.instance.iter().map(|instance| format!(" on {}", short(&instance.to_string())));
    login.chain(service).chain(host).collect()
}

/// Enough of a fingerprint to tell a handful of hosts apart.
fn short(fingerprint: &str) -> String {
    fingerprint.chars().skip(fingerprint.len().saturating_sub(8)).collect()
}
