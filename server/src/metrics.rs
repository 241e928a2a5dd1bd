//! Figures for whoever watches over the server. Every set of labels is bounded by this program: no name, address or key
//! of anybody is in one.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// What they are written in.
pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the classes of time, in seconds: from a check-in to a login behind a slow disk.
const TIMES: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    /// The type of the reply; `-` for what has none.
    reply: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReply {
    reply: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfClass {
    class: &'static str,
}

/// All figures. Those of a moment are set when they are asked for.
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    times: Family<OfReply, Histogram, fn() -> Histogram>,
    refusals: Family<OfClass, Counter>,
    turned_away: Family<OfClass, Counter>,
    tls_failures: Counter,
    /// Those of a moment.
    pub gauges: Gauges,
}

/// What is so now.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Connections that are open.
    pub connections: Gauge,
    /// Hosts that wait to hear of a change.
    pub watches: Gauge,
    /// Messages inside: waiting for a worker, or with one.
    pub queue: Gauge,
    /// Messages that are being worked on.
    pub workers: Gauge,
    /// Whether a login would be answered now.
    pub ready: Gauge,
    /// Entries of the ledger.
    pub ledger: Gauge,
    /// Entries that wait for syslog.
    pub syslog_backlog: Gauge,
    /// Rows of the database that are not what the ledger says.
    pub edited_rows: Gauge,
    /// When the TLS certificate ends, in seconds of the epoch; 0 without one.
    pub tls_expires: Gauge,
    /// When the server's own signing or encryption subkey ends, whichever is first.
    pub key_expires: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("countersign");
        let requests = Family::default();
        let times = Family::new_with_constructor((|| Histogram::new(TIMES)) as fn() -> Histogram);
        let (refusals, turned_away, tls_failures) =
            (Family::default(), Family::default(), Counter::default());
        let gauges = Gauges::default();
        registry.register(
            "requests",
            "Messages, by the type of their reply and what became of them",
            requests.clone(),
        );
        registry.register_with_unit(
            "request",
            "Time from a message's first byte to its answer; a watch waits in it",
            Unit::Seconds,
            times.clone(),
        );
        registry.register("refusals", "Messages that were refused, by why", refusals.clone());
        registry.register("turned_away", "Messages that were not looked at, by why", turned_away.clone());
        registry.register(
            "tls_handshake_failures",
            "Connections on which no TLS came about",
            tls_failures.clone(),
        );
        for (name, help, gauge) in [
            ("connections", "Open connections", &gauges.connections),
            ("watches", "Hosts that wait to hear of a change", &gauges.watches),
            ("queue", "Messages inside, waiting for a worker or with one", &gauges.queue),
            ("workers_busy", "Messages that are being worked on", &gauges.workers),
            ("ready", "Whether a login would be answered now", &gauges.ready),
            ("ledger_entries", "Entries of the ledger", &gauges.ledger),
            ("syslog_backlog_entries", "Entries that wait for syslog", &gauges.syslog_backlog),
            (
                "database_edited_rows",
                "Rows of the database that are not what the ledger says",
                &gauges.edited_rows,
            ),
            (
                "tls_certificate_expiry_timestamp_seconds",
                "When the TLS certificate ends; 0 without one",
                &gauges.tls_expires,
            ),
            (
                "server_key_expiry_timestamp_seconds",
                "When the first of the server's subkeys in use ends; 0 if never",
                &gauges.key_expires,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
        registry.register("build", "This program", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        Self { registry, requests, times, refusals, turned_away, tls_failures, gauges }
    }

    /// A message was answered, or not.
    pub fn request(&self, reply: Option<&str>, outcome: &'static str, took: Duration) {
        let reply = reply.unwrap_or("-").to_owned();
        self.times.get_or_create(&OfReply { reply: reply.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&Answered { reply, outcome }).inc();
    }

    /// A message was refused.
    pub fn refused(&self, class: &'static str) {
        self.refusals.get_or_create(&OfClass { class }).inc();
    }

    /// A message was not looked at.
    pub fn turned_away(&self, class: &'static str) {
        self.turned_away.get_or_create(&OfClass { class }).inc();
    }

    /// A connection on which no TLS came about.
    pub fn no_tls(&self) {
        self.tls_failures.inc();
    }

    /// As OpenMetrics text.
    ///
    /// # Errors
    /// The library cannot write it.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Counts while it lives.
pub(crate) struct Counted(Gauge);

impl Counted {
    pub(crate) fn by(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
