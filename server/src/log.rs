//! One line on stderr for each message: time, correlation id, address, what, and why.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use countersign_protocol::clock::Timestamp;
use countersign_server_core::refusal::short;

/// What one line says.
pub struct Line<'a> {
    /// When.
    pub at: Timestamp,
    /// What people quote, if there is one.
    pub correlation: Option<&'a str>,
    /// From where.
    pub address: IpAddr,
    /// What became of it.
    pub what: &'a str,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, correlation, address, what, took } = self;
        let correlation = correlation.unwrap_or("-");
        write!(f, "{at} {correlation} {address} ")?;
        // A sender's words may be in a reason: one line stays one line.
        write!(f, "{} ({} ms)", short(what), took.as_millis())
    }
}

/// Writes the line. A stderr that is gone stops nothing.
pub fn write(line: &Line<'_>) {
    use std::io::Write as _;
    let _gone = writeln!(std::io::stderr().lock(), "{line}");
}
