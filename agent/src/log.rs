//! Local log: one line an event, `key=value`, to syslog – or to standard error where there is none.
//!
//! A thread of its own writes, so that a log daemon that hangs holds nobody up; what it cannot take is counted.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

/// Lines waiting to be written; more are dropped and counted.
const WAITING: usize = 1024;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Somebody should look.
    Warning,
    /// What happened.
    Notice,
}

/// The log. Clones write to the same place.
#[derive(Debug, Clone)]
pub struct Log {
    lines: SyncSender<(Level, String)>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// The kernel gives no thread.
    pub fn start() -> std::io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        std::thread::Builder::new()
            .name("log".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || write(&waiting, &counter))?;
        Ok(Self { lines, dropped })
    }

    /// Writes one event. Values must hold no secret; control characters and quotes are replaced.
    pub fn event(&self, level: Level, event: &str, fields: &[(&str, &str)]) {
        if self.lines.try_send((level, line(event, fields))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What happened.
    pub fn notice(&self, event: &str, fields: &[(&str, &str)]) {
        self.event(Level::Notice, event, fields);
    }

    /// What somebody should look at.
    pub fn warn(&self, event: &str, fields: &[(&str, &str)]) {
        self.event(Level::Warning, event, fields);
    }
}

fn line(event: &str, fields: &[(&str, &str)]) -> String {
    let mut line = format!("event={event}");
    for (key, value) in fields {
        let plain: String =
            value.chars().map(|c| if c.is_control() || c == '"' { '\u{FFFD}' } else { c }).collect();
        let quoted = plain.is_empty() || plain.contains([' ', '=']);
        // Writing to a string does not fail.
        let _ = if quoted { write!(line, " {key}=\"{plain}\"") } else { write!(line, " {key}={plain}") };
    }
    line
}

fn write(lines: &Receiver<(Level, String)>, dropped: &AtomicU64) {
    let mut log = connect();
    for (level, line) in lines {
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            put(&mut log, Level::Warning, &format!("event=log-overrun dropped={lost}"));
        }
        put(&mut log, level, &line);
    }
}

type Syslog = Logger<LoggerBackend, Formatter3164>;

fn connect() -> Option<Syslog> {
    syslog::unix(Formatter3164 {
        facility: Facility::LOG_AUTHPRIV,
        hostname: None,
        process: "countersignd".to_owned(),
        pid: std::process::id(),
    })
    .ok()
}

fn put(log: &mut Option<Syslog>, level: Level, line: &str) {
    // The log daemon may have been started, or started again, meanwhile.
    for _ in 0..2 {
        if let Some(open) = log {
            let written = match level {
                Level::Warning => open.warning(line),
                Level::Notice => open.notice(line),
            };
            if written.is_ok() {
                return;
            }
        }
        *log = connect();
    }
    eprintln!("countersignd: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_forge_a_field_or_a_line() {
        let told = line("login-denied", &[("login", "ana"), ("claimed", "x\nevent=granted \"y")]);
        assert_eq!(told, "event=login-denied login=ana claimed=\"x\u{FFFD}event=granted \u{FFFD}y\"");
        assert_eq!(line("x", &[("a", "")]), "event=x a=\"\"");
    }
}
