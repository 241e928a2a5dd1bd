//! A request as a person reads it before they sign for it.

use std::fmt;

use countersign_protocol::approval;
use countersign_protocol::binary::Binary;
use countersign_protocol::ids::Digest;
use countersign_protocol::message::result::{RequestAsked, RequestChanged, RequestShown, RequestState};
use countersign_protocol::statement::Statement;
use serde::Serialize;

use crate::commands::admin::change::{self, Words};
use crate::failure::{Failure, LocalKind};
use crate::job::Done;
use crate::output::{Report, plain};

/// As much of a body as fits a few screens.
const BODY: usize = 16 * 1024;

/// A request whose parts fit together: what is shown is what the statement says, and the body is the one that it names.
#[derive(Serialize)]
pub(super) struct Whole {
    #[serde(flatten)]
    shown: RequestShown,
}

impl Whole {
    /// # Errors
    /// It says something else than what was signed.
    pub(super) fn of(shown: RequestShown) -> Result<Self, Failure> {
        let untrusted = |what: &str| {
            let message = format!("the request {} is not what it is said to be: {what}", shown.request);
            Err(Failure::local(LocalKind::LedgerUntrusted, message)
                .then("Do not approve it. Tell an administrator of the server."))
        };
        if let Some(RequestAsked { statement, body }) = &shown.asked {
            let Ok(signed) = Statement::from_bytes(&statement.0) else {
                return untrusted("its statement cannot be read");
            };
            if (&signed.account, &signed.operation, &signed.resource)
                != (&shown.account, &shown.operation, &shown.resource)
            {
                return untrusted("another one was signed");
            }
            if signed.body != body.as_ref().map(|body| Digest::of(&body.0)) {
                return untrusted("another body was signed");
            }
        }
        Ok(Self { shown })
    }

    /// What an approval is for, if it waits.
    pub(super) fn statement(&self) -> Option<Binary> {
        self.shown.asked.as_ref().map(|asked| asked.statement.clone())
    }

    pub(super) const fn state(&self) -> &'static str {
        self.shown.state.as_str()
    }
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.shown;
        writeln!(f, "{} asks: {} {}", shown.account, shown.operation, shown.resource)?;
        writeln!(f, "  request     {} ({})", shown.request, shown.id)?;
        writeln!(f, "  made        {}", shown.made)?;
        writeln!(f, "  state       {}", standing(shown))?;
        if let Some(reason) = &shown.reason {
            writeln!(f, "  because     {}", plain(reason))?;
        }
        writeln!(f, "  needs       {}", approval::any_of(&shown.needs))?;
        for one in &shown.approvals {
            let counts = if one.counts { "" } else { " (does not count any more)" };
            let comment = one.comment.as_ref().map(|words| format!(": {}", plain(words))).unwrap_or_default();
            writeln!(f, "  approved    by {} on {}{counts}{comment}", one.account, one.at)?;
        }
        if let Some(body) = shown.asked.as_ref().and_then(|asked| asked.body.as_ref()) {
            writeln!(f, "  with")?;
            for line in readable(&body.0).lines() {
                writeln!(f, "    {}", plain(line))?;
            }
        }
        if let Some(result) = &shown.result {
            let result = serde_json::to_vec(result).unwrap_or_default();
            writeln!(f, "  yielded     (told this once)")?;
            for line in readable(&result).lines() {
                writeln!(f, "    {}", plain(line))?;
            }
        }
        Ok(())
    }
}

/// One line of a list.
pub(super) fn in_a_line(one: &RequestShown) -> String {
    format!("{}  {}  {}: {} {}", one.request, standing(one), one.account, one.operation, one.resource)
}

fn standing(one: &RequestShown) -> String {
    match (one.state, one.missing) {
        (RequestState::Waiting, Some(missing)) => {
            format!("waiting until {} for {missing} more", one.deadline)
        }
        (RequestState::Expired, _) => format!("expired on {}", one.deadline),
        (state, _) => state.as_str().to_owned(),
    }
}

/// JSON as its fields, long texts as the lines that they are; anything else by its size and digest.
fn readable(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(serde_json::Value::Object(fields)) => {
            fields.iter().map(|(name, value)| field(name, value)).collect::<Vec<_>>().join("\n")
        }
        Ok(value) => value.to_string(),
        Err(_) => format!("{} bytes of SHA-256 {}", body.len(), Digest::of(body)),
    };
    match text.char_indices().nth(BODY) {
        None => text,
        Some((end, _)) => {
            let kept = text.get(..end).unwrap_or_default();
            format!("{kept}\n… and more: {} bytes in all. With --json all of it is shown.", body.len())
        }
    }
}

fn field(name: &str, value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) if text.contains('\n') => {
            let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
            format!("{name}:\n{}", lines.join("\n"))
        }
        serde_json::Value::String(text) => format!("{name}: {text}"),
        other => format!("{name}: {other}"),
    }
}

/// The report of an approval, or of one that was taken back.
///
/// # Errors
/// It cannot be written as JSON.
pub(super) fn changed(done: Done<RequestChanged>) -> Result<Report, Failure> {
    change::report(done, told)
}

fn told(one: &RequestChanged) -> Words {
    let name = &one.request;
    let said = match (one.state, one.missing) {
        (RequestState::Waiting, Some(0)) => format!("The request {name} waits."),
        (RequestState::Waiting, missing) => {
            format!("The request {name} waits for {} more.", missing.unwrap_or_default())
        }
        (RequestState::Done, _) => {
            format!("The request {name} had all its approvals with this one, and is done.")
        }
        (RequestState::Denied, _) => {
            format!("The request {name} had all its approvals with this one, and was denied all the same.")
        }
        (RequestState::Withdrawn, _) => format!("The request {name} is called off."),
        (RequestState::Expired, _) => format!("The request {name} is over."),
    };
    let more = one.reason.as_ref().map(|reason| ("because    ", plain(reason)));
    Words { said, more, next: None }
}
