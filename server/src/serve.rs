//! HTTP: one endpoint for envelopes, one for whoever watches over the server.

mod body;
mod connections;
mod descriptors;
mod stopping;
mod watches;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::limits;
use countersign_protocol::message::MessageKind;
use countersign_server_core::core::Core;
use countersign_server_core::stop::Failure;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::body::{BodyError, Received};
use self::connections::Seat;
use self::stopping::Stopping;
use self::watches::{Ended, Watches};
use crate::config::Limits;
use crate::doors::openpgp::{Admission, Answer, Heard, OpenPgpDoor, Throttle};
use crate::log::{self, Line};

/// How long a sender may take to send a message.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of messages held at once, waiting or being worked on.
const HELD: usize = 128 * 1024 * 1024;

/// Questions about our health asked of the store at once.
const WATCHERS: usize = 2;

#[derive(Clone)]
struct Edge {
    door: OpenPgpDoor,
    throttle: Arc<Throttle>,
    /// One permit for each message that is being worked on.
    workers: Arc<Semaphore>,
    /// One permit for each message that is inside at all.
    queue: Arc<Semaphore>,
    /// One permit for each byte of them.
    bytes: Arc<Semaphore>,
    watchers: Arc<Semaphore>,
    watches: Watches,
}

/// Serves until `stop` completes, then finishes what it has begun.
pub async fn serve(
    listener: TcpListener,
    core: Core,
    limits: Limits,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let limits = Limits { connections: descriptors::connections(limits.connections), ..limits };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let stopping = Stopping::when(stop);
    let door = OpenPgpDoor::new(Arc::new(core));
    // The other half of the connections is for those who do something.
    let most = usize::from(limits.connections / 2);
    let watches = Watches::new(door.clone(), most, (threads / 2).max(1), stopping.clone());
    let edge = Edge {
        door,
        watches,
        throttle: Arc::new(Throttle::new(limits)),
        workers: Arc::new(Semaphore::new(threads * 2)),
        queue: Arc::new(Semaphore::new(usize::from(limits.queue))),
        bytes: Arc::new(Semaphore::new(HELD)),
        watchers: Arc::new(Semaphore::new(WATCHERS)),
    };
    let router =
        Router::new().route("/v1/messages", post(messages)).route("/healthz", get(health)).with_state(edge);
    connections::serve(listener, router, limits, stopping).await;
}

async fn health(State(edge): State<Edge>) -> Response {
    let healthy = async {
        let watcher = edge.watchers.clone().acquire_owned().await.ok()?;
        let door = edge.door.clone();
        let asked = move || {
            let _watcher = watcher;
            door.is_healthy()
        };
        tokio::task::spawn_blocking(asked).await.ok()
    };
    if healthy.await == Some(true) {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response()
    }
}

async fn messages(
    State(edge): State<Edge>,
    Extension(peer): Extension<SocketAddr>,
    Extension(seat): Extension<Arc<Seat>>,
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
    let Ok(place) = edge.queue.clone().try_acquire_owned() else {
        say(None, "the queue is full");
        return later(StatusCode::SERVICE_UNAVAILABLE, 1);
    };
    let received = match tokio::time::timeout(PATIENCE, body::receive(request.into_body(), &edge.bytes)).await
    {
        Ok(Ok(received)) => received,
        Ok(Err(BodyError::NotAnEnvelope)) => {
            say(None, "larger than an envelope may be, or cut off");
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        }
        Ok(Err(BodyError::NoRoom)) => {
            say(None, "no room for more bytes");
            return later(StatusCode::SERVICE_UNAVAILABLE, 1);
        }
        Err(_) => {
            say(None, "sent too slowly");
            return StatusCode::REQUEST_TIMEOUT.into_response();
        }
    };
    let answered = match work(&edge, received, place).await {
        Some(Ok(Heard::Answered(answer))) => Some(Ok(answer)),
        Some(Ok(Heard::Watch(watching))) => {
            let _aside = seat.aside();
            match edge.watches.wait(*watching).await {
                Ok(answer) => Some(Ok(answer)),
                Err(Ended::Failed(failure)) => Some(Err(failure)),
                Err(Ended::Died) => None,
                Err(Ended::Full) => {
                    say(None, "too many hosts watch; raise limits.connections");
                    return later(StatusCode::SERVICE_UNAVAILABLE, limits::WATCH.as_secs());
                }
            }
        }
        Some(Err(failure)) => Some(Err(failure)),
        None => None,
    };
    let (status, body) = match answered {
        Some(Ok(answer)) => {
            if answer.shows_a_host() {
                edge.throttle.is_host(peer.ip(), began);
            }
            match answer {
                Answer::Reply { bytes, correlation, kind, again, .. } => {
                    // Every host gets one every half minute.
                    if kind != MessageKind::WatchReply {
                        let again = if again { " again" } else { "" };
                        say(Some(correlation.as_str()), &format!("answered with {kind:?}{again}"));
                    }
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
///
/// That thread goes on when the client hangs up, so it holds the permits.
async fn work(
    edge: &Edge,
    received: Received,
    place: OwnedSemaphorePermit,
) -> Option<Result<Heard, Failure>> {
    let worker = edge.workers.clone().acquire_owned().await.ok()?;
    let door = edge.door.clone();
    let heard = move || {
        let _permits = (worker, place);
        door.hear(received.bytes())
    };
    tokio::task::spawn_blocking(heard).await.ok()
}

fn later(status: StatusCode, seconds: u64) -> Response {
    (status, [(header::RETRY_AFTER, HeaderValue::from(seconds))]).into_response()
}
