//! Whether the server is alive, and whether it can do its work: for whoever watches over it.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::Edge;
use crate::metrics::OPEN_METRICS;

/// How long after a message that could not be worked on the server is not taken for ready.
const SHAKEN: Duration = Duration::from_secs(30);

/// How long the store may take to answer, for whoever watches not to give up on us.
const ANSWER: Duration = Duration::from_secs(5);

/// How long an answer is good for whoever asks next: however many ask, the store is looked at once in that time.
const GOOD: Duration = Duration::from_secs(1);

/// How often that look takes a writer's turn, to see that there is one. In between, messages that cannot be written tell; and
/// while something is wrong every look takes one.
const WRITES: Duration = Duration::from_secs(10);

/// Failures of late: a disk that is full is seen by those who write, not by those who ask.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<Option<(Instant, String)>>>);

impl Faults {
    /// A message could not be worked on.
    pub(super) fn one(&self, why: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), why.to_owned()));
    }

    /// One could.
    pub(super) fn none(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn late(&self) -> Option<String> {
        let fault = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fault.as_ref().filter(|(at, _)| at.elapsed() < SHAKEN).map(|(_, why)| why.clone())
    }
}

/// The last look, for all who ask within a moment. One looks at a time; the others wait for what it sees. So nobody needs to be
/// turned away, and no crowd of strangers keeps a load balancer from its answer.
#[derive(Clone, Default)]
pub(super) struct Health(Arc<tokio::sync::Mutex<Option<Last>>>);

struct Last {
    at: Instant,
    /// When a writer's turn was taken.
    wrote: Instant,
    problems: Vec<String>,
}

/// For everybody: yes or no.
pub(super) fn in_public() -> Router<Edge> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready))
}

/// For whoever watches over the server: figures, and why.
pub(super) fn in_private() -> Router<Edge> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(reasons)).route("/metrics", get(metrics))
}

/// This program runs and answers.
async fn alive() -> Response {
    "ok\n".into_response()
}

async fn ready(State(edge): State<Edge>) -> Response {
    let (status, text) = match examined(&edge).await {
        problems if problems.is_empty() => (StatusCode::OK, "ready\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    };
    (status, text).into_response()
}

async fn reasons(State(edge): State<Edge>) -> Response {
    let problems = examined(&edge).await;
    let mut text = if problems.is_empty() { "ready\n".to_owned() } else { String::new() };
    for problem in &problems {
        let _written = writeln!(text, "not ready: {problem}");
    }
    for warning in edge.warnings() {
        let _written = writeln!(text, "warning: {warning}");
    }
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text).into_response()
}

async fn metrics(State(edge): State<Edge>) -> Response {
    let problems = examined(&edge).await;
    let gauges = &edge.metrics.gauges;
    gauges.ready.set(i64::from(problems.is_empty()));
    edge.measure();
    match edge.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS))], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// What stands in the way of answering a login.
async fn examined(edge: &Edge) -> Vec<String> {
    // In a task of its own: who hangs up does not make the next one look again.
    let seen = tokio::spawn(seen(edge.clone())).await;
    let mut problems = seen.unwrap_or_else(|_| vec!["a worker died".to_owned()]);
    problems.extend(edge.faults.late().map(|why| format!("a message could not be worked on: {why}")));
    problems
}

/// What the last look saw, or another one now.
async fn seen(edge: Edge) -> Vec<String> {
    let mut last = edge.health.0.lock().await;
    if let Some(last) = last.as_ref().filter(|last| last.at.elapsed() < GOOD) {
        return last.problems.clone();
    }
    let sound = last.as_ref().filter(|last| last.problems.is_empty());
    let proven = sound.map(|last| last.wrote).filter(|wrote| wrote.elapsed() < WRITES);
    let problems = looked(&edge, proven.is_none()).await;
    let now = Instant::now();
    *last = Some(Last { at: now, wrote: proven.unwrap_or(now), problems: problems.clone() });
    problems
}

async fn looked(edge: &Edge, writing: bool) -> Vec<String> {
    let asked = async {
        let watcher = edge.watchers.clone().acquire_owned().await.ok()?;
        let door = edge.door.clone();
        let ask = move || {
            let _watcher = watcher;
            door.readiness(writing)
        };
        tokio::task::spawn_blocking(ask).await.ok()
    };
    let mut problems = Vec::new();
    match tokio::time::timeout(ANSWER, asked).await {
        Err(_) => problems.push(format!("the database did not answer for {} s", ANSWER.as_secs())),
        Ok(Some(Ok(entries))) => {
            let _earlier = edge.metrics.gauges.ledger.set(i64::try_from(entries).unwrap_or(i64::MAX));
        }
        Ok(Some(Err(failure))) => problems.push(failure.to_string()),
        Ok(None) => problems.push("a worker died".to_owned()),
    }
    problems
}
