//! One line on stderr for each message: time, correlation id, address, what, and why. As text, or as one JSON object.

use std::net::IpAddr;
use std::time::Duration;

use countersign_protocol::clock::{Clock as _, SystemClock, Timestamp};
use countersign_server_core::refusal::short;
use serde::Serialize;

use crate::{config, notify};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// What happens all the time.
    Info,
    /// Somebody should look at it.
    Warning,
    /// The server could not do its part.
    Error,
}

/// What one line says.
#[derive(Serialize)]
pub struct Line<'a> {
    /// When.
    #[serde(rename = "time")]
    pub at: Timestamp,
    /// How much it matters.
    pub level: Level,
    /// What people quote; there is one in every line about a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation: Option<&'a str>,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What became of it, as in the metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'a str>,
    /// What became of it, in words.
    #[serde(rename = "message")]
    pub what: &'a str,
    /// How long it took, in milliseconds.
    #[serde(rename = "ms", skip_serializing_if = "Option::is_none", serialize_with = "milliseconds")]
    pub took: Option<Duration>,
}

#[expect(clippy::ref_option, reason = "serde's shape of such a function")]
fn milliseconds<S: serde::Serializer>(took: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    let milliseconds = took.map_or(0, |took| took.as_millis());
    serializer.serialize_u64(u64::try_from(milliseconds).unwrap_or(u64::MAX))
}

/// Where lines go, and how they look.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    settings: config::Log,
    /// Whether the journal reads along and wants to be told the level.
    journal: bool,
}

impl Log {
    /// As the configuration says.
    #[must_use]
    pub fn new(settings: config::Log) -> Self {
        Self { settings, journal: notify::journal_listens() }
    }

    /// Writes the line. A stderr that is gone stops nothing.
    pub fn write(&self, line: &Line<'_>) {
        use std::io::Write as _;
        if line.level < self.settings.level.into() {
            return;
        }
        let priority = match (self.journal, line.level) {
            (false, _) => "",
            (true, Level::Info) => "<6>",
            (true, Level::Warning) => "<4>",
            (true, Level::Error) => "<3>",
        };
        let _gone = writeln!(std::io::stderr().lock(), "{priority}{}", self.spelled(line));
    }

    /// A line about the server itself.
    pub fn note(&self, level: Level, what: &str) {
        let at = SystemClock.now();
        self.write(&Line { at, level, correlation: None, address: None, outcome: None, what, took: None });
    }

    fn spelled(&self, line: &Line<'_>) -> String {
        // A sender's words may be in a reason: one line stays one line.
        let what = short(line.what);
        match self.settings.format {
            config::LogFormat::Text => {
                let Line { at, correlation, address, took, .. } = line;
                let address = address.map_or_else(|| "-".to_owned(), |address| address.to_string());
                let took = took.map_or_else(String::new, |took| format!(" ({} ms)", took.as_millis()));
                format!("{at} {} {address} {what}{took}", correlation.unwrap_or("-"))
            }
            config::LogFormat::Json => {
                let line = Line { what: &what, ..*line };
                serde_json::to_string(&line).unwrap_or_else(|error| error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(format: config::LogFormat, what: &str) -> String {
        let settings = config::Log { format, ..config::Log::default() };
        let line = Line {
            at: Timestamp::from_seconds(0),
            level: Level::Warning,
            correlation: Some("7QX2-M"),
            address: Some("192.0.2.1".parse().unwrap()),
            outcome: Some("refused"),
            what,
            took: Some(Duration::from_millis(12)),
        };
        Log { settings, journal: false }.spelled(&line)
    }

    #[test]
    fn a_senders_words_make_no_second_line_and_no_second_field() {
        let text = spelled(config::LogFormat::Text, "refused: a\nb\",\"level\":\"info");
        assert_eq!(text, "1970-01-01T00:00:00Z 7QX2-M 192.0.2.1 refused: ab\",\"level\":\"info (12 ms)");
        let json = spelled(config::LogFormat::Json, "refused: a\nb\",\"level\":\"info");
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["level"], "warning");
        assert_eq!(read["message"], "refused: ab\",\"level\":\"info");
        assert_eq!((&read["correlation"], &read["ms"]), (&"7QX2-M".into(), &12.into()));
    }
}
