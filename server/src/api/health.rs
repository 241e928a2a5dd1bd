//! Whether jobs are done, for whoever watches over a process that does nothing else.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_server_core::store::Store;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::metrics::OPEN_METRICS;

/// How long the database may take to answer, for whoever watches not to give up on us.
const ANSWER: Duration = Duration::from_secs(5);

/// What is known of it.
#[derive(Default)]
pub(super) struct Health {
    state: Mutex<Standing>,
    /// One looks at a time.
    looking: tokio::sync::Mutex<()>,
}

enum Standing {
    /// Not yet, and why.
    Down(String),
    Up {
        store: Arc<dyn Store>,
        resolved: Counter,
    },
}

impl Default for Standing {
    fn default() -> Self {
        Self::Down("the database is being opened".into())
    }
}

impl Health {
    pub(super) fn is_not_up(&self, why: String) {
        self.put(Standing::Down(why));
    }

    pub(super) fn is_up(&self, store: Arc<dyn Store>, resolved: Counter) {
        self.put(Standing::Up { store, resolved });
    }

    fn put(&self, standing: Standing) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// Why no jobs are done, if so; and how many were.
    async fn look(&self) -> (Option<String>, Counter) {
        let (store, resolved) = match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            Standing::Down(why) => return (Some(why.clone()), Counter::default()),
            Standing::Up { store, resolved } => (store.clone(), resolved.clone()),
        };
        let asked = async {
            let _looking = self.looking.lock().await;
            let ask = move || store.view()?.has_queued_jobs(SystemClock.now());
            tokio::task::spawn_blocking(ask).await
        };
        let problem = match tokio::time::timeout(ANSWER, asked).await {
            Err(_) => Some(format!("the database did not answer for {} s", ANSWER.as_secs())),
            Ok(Ok(Ok(_))) => None,
            Ok(Ok(Err(error))) => Some(error.to_string()),
            Ok(Err(_)) => Some("a thread died".to_owned()),
        };
        (problem, resolved)
    }

    /// On an address of their own.
    pub(super) fn router(health: Arc<Self>) -> Router {
        Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(health)
    }
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    match health.look().await.0 {
        None => "ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    let (problem, resolved) = health.look().await;
    let ready = Gauge::<i64>::default();
    ready.set(i64::from(problem.is_none()));
    let mut registry = Registry::with_prefix("countersign");
    registry.register("ready", "Whether jobs would be done now", ready);
    registry.register("jobs", "Jobs of which this process said what came of them", resolved);
    registry.register("build", "This program", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS))], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
