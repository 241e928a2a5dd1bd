//! HTTP: one endpoint for envelopes, one for whoever watches over the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::limits;
use countersign_server_core::core::Core;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::config::Limits;
use crate::doors::openpgp::{Admission, Answer, OpenPgpDoor, Throttle};
use crate::log::{self, Line};

/// How long a sender may take to send a message.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long open requests may go on after a signal to stop.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct Edge {
    door: OpenPgpDoor,
    throttle: Arc<Throttle>,
    /// One permit for each message that is being worked on.
    workers: Arc<Semaphore>,
    /// One permit for each message that is inside at all.
    queue: Arc<Semaphore>,
}

/// Serves until `stop` completes, then finishes what it has begun.
///
/// # Errors
/// The listener's.
pub async fn serve(
    listener: TcpListener,
    core: Core,
    limits: Limits,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), std::io::Error> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let edge = Edge {
        door: OpenPgpDoor::new(Arc::new(core)),
        throttle: Arc::new(Throttle::new(limits)),
        workers: Arc::new(Semaphore::new(threads * 2)),
        queue: Arc::new(Semaphore::new(usize::from(limits.queue))),
    };
    let router =
        Router::new().route("/v1/messages", post(messages)).route("/healthz", get(health)).with_state(edge);
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            stop.await;
            let _nobody_waits = stopping.send(());
        });
    tokio::select! {
        ended = async { server.await } => ended,
        () = async { let _sent = stopped.await; tokio::time::sleep(GRACE).await } => Ok(()),
    }
}

async fn health(State(edge): State<Edge>) -> Response {
    if edge.door.is_healthy() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response()
    }
}

async fn messages(
    State(edge): State<Edge>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let say = |correlation: Option<&str>, what: &str| {
        let (address, took) = (peer.ip(), began.elapsed());
        log::write(&Line { at: SystemClock.now(), correlation, address, what, took });
    };
    if let Admission::After(seconds) = edge.throttle.admit(peer.ip(), began) {
        say(None, "too many messages from this address");
        return later(StatusCode::TOO_MANY_REQUESTS, seconds);
    }
    let Ok(_place) = edge.queue.clone().try_acquire_owned() else {
        say(None, "the queue is full");
        return later(StatusCode::SERVICE_UNAVAILABLE, 1);
    };
    let bytes = match tokio::time::timeout(PATIENCE, to_bytes(request.into_body(), limits::ENVELOPE)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            say(None, "larger than an envelope may be, or cut off");
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        }
        Err(_) => {
            say(None, "sent too slowly");
            return StatusCode::REQUEST_TIMEOUT.into_response();
        }
    };
    let (status, body) = match work(&edge, bytes).await {
        Some(Ok(answer)) => {
            if answer.shows_a_host() {
                edge.throttle.is_host(peer.ip(), began);
            }
            match answer {
                Answer::Reply { bytes, correlation, kind, again } => {
                    let again = if again { " again" } else { "" };
                    say(Some(correlation.as_str()), &format!("answered with {kind:?}{again}"));
                    (StatusCode::OK, bytes)
                }
                Answer::Refused { bytes, correlation, reason } => {
                    say(Some(correlation.as_str()), &format!("refused: {reason}"));
                    (StatusCode::BAD_REQUEST, bytes)
                }
            }
        }
        Some(Err(failure)) => {
            say(None, &format!("FAILED, nothing happened: {failure}"));
            return later(StatusCode::SERVICE_UNAVAILABLE, 1);
        }
        None => {
            say(None, "FAILED, a worker died");
            return later(StatusCode::SERVICE_UNAVAILABLE, 1);
        }
    };
    let octets = HeaderValue::from_static("application/octet-stream");
    (status, [(header::CONTENT_TYPE, octets)], Body::from(body)).into_response()
}

/// On a thread that may block. None if it panicked.
async fn work(edge: &Edge, bytes: Bytes) -> Option<Result<Answer, countersign_server_core::stop::Failure>> {
    let _worker = edge.workers.acquire().await.ok()?;
    let door = edge.door.clone();
    tokio::task::spawn_blocking(move || door.answer(&bytes)).await.ok()
}

fn later(status: StatusCode, seconds: u64) -> Response {
    (status, [(header::RETRY_AFTER, HeaderValue::from(seconds))]).into_response()
}
