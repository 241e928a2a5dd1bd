//! `POST /v1/messages`: one envelope in, one answer out, one line in the log.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ids::CorrelationId;
use countersign_protocol::limits;
use countersign_protocol::message::MessageKind;
use countersign_protocol::random::SystemRandom;
use countersign_server_core::stop::Failure;
use tokio::sync::OwnedSemaphorePermit;

use super::body::{self, BodyError, Received};
use super::connections::Seat;
use super::watches::Ended;
use super::{Edge, Strangers};
use crate::doors::openpgp::{Admission, Answer, Heard};
use crate::log::{Level, Line};
use crate::metrics::Counted;

/// How long a sender may take to send a message.
const PATIENCE: Duration = Duration::from_secs(10);

/// What people quote, on answers that are no envelope.
const CORRELATION: &str = "countersign-correlation";

/// What becomes of a message.
struct Told {
    level: Level,
    /// For the figures and for programs that read the log.
    outcome: &'static str,
    correlation: Option<CorrelationId>,
    kind: Option<MessageKind>,
    what: String,
    response: Response,
}

/// One of all places and, from where no host was seen, one of those that are for strangers.
struct Place {
    _whole: OwnedSemaphorePermit,
    _among: Option<OwnedSemaphorePermit>,
}

pub(super) async fn messages(
    State(edge): State<Edge>,
    Extension(peer): Extension<SocketAddr>,
    Extension(seat): Extension<Arc<Seat>>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let address = edge.proxies.sender(peer, request.headers());
    let told = hear(&edge, address, &seat, request, began).await;
    tell(&edge, address, told, began.elapsed())
}

async fn hear(edge: &Edge, address: IpAddr, seat: &Arc<Seat>, request: Request, began: Instant) -> Told {
    let strangers = match edge.throttle.admit(address, began) {
        Admission::After(seconds) => {
            let what = "too many messages from this address";
            return turned_away(edge, "address", what, later(StatusCode::TOO_MANY_REQUESTS, seconds));
        }
        Admission::Stranger => Some(&edge.strangers),
        Admission::Host => None,
    };
    let among = strangers.map(|strangers| strangers.queue.clone().try_acquire_owned()).transpose();
    let (Ok(among), Ok(place)) = (among, edge.queue.clone().try_acquire_owned()) else {
        return turned_away(edge, "queue", "the queue is full", unavailable(1));
    };
    let place = Place { _whole: place, _among: among };
    let incoming = body::receive(request.into_body(), &edge.bytes);
    let received = match tokio::time::timeout(PATIENCE, incoming).await {
        Ok(Ok(received)) => received,
        Ok(Err(BodyError::NotAnEnvelope)) => {
            let what = "larger than an envelope may be, or cut off";
            return turned_away(edge, "size", what, StatusCode::PAYLOAD_TOO_LARGE.into_response());
        }
        Ok(Err(BodyError::NoRoom)) => {
            return turned_away(edge, "bytes", "no room for more bytes", unavailable(1));
        }
        Err(_) => {
            return turned_away(edge, "slow", "sent too slowly", StatusCode::REQUEST_TIMEOUT.into_response());
        }
    };
    let answered = match work(edge, received, place, strangers).await {
        Some(Ok(Heard::Answered(answer))) => Ok(answer),
        Some(Ok(Heard::TooOften(seconds))) => {
            let what = "too many messages of this host";
            return turned_away(edge, "host", what, later(StatusCode::TOO_MANY_REQUESTS, seconds));
        }
        Some(Ok(Heard::Watch(watching))) => {
            let _aside = seat.clone().aside();
            let _counted = Counted::by(&edge.metrics.gauges.watches);
            match edge.watches.wait(*watching).await {
                Ok(answer) => Ok(answer),
                Err(Ended::Failed(failure)) => Err(Some(failure)),
                Err(Ended::Died) => Err(None),
                Err(Ended::Full) => {
                    let what = "too many hosts watch; raise limits.connections";
                    return turned_away(edge, "watches", what, unavailable(limits::WATCH.as_secs()));
                }
            }
        }
        Some(Err(failure)) => Err(Some(failure)),
        None => Err(None),
    };
    match answered {
        Ok(answer) => {
            if answer.shows_a_host() {
                edge.throttle.is_host(address, began);
            }
            edge.faults.none();
            Told::answer(edge, answer)
        }
        Err(failure) => {
            let why = failure.map_or_else(|| "a worker died".to_owned(), |failure| failure.to_string());
            edge.faults.one(&why);
            Told {
                level: Level::Error,
                outcome: "failed",
                correlation: None,
                kind: None,
                what: format!("FAILED, nothing happened: {why}"),
                response: unavailable(1),
            }
        }
    }
}

impl Told {
    fn answer(edge: &Edge, answer: Answer) -> Self {
        match answer {
            Answer::Reply { bytes, correlation, kind, again, .. } => {
                let (outcome, more) = if again { ("again", " again") } else { ("answered", "") };
                Self {
                    level: Level::Info,
                    outcome,
                    correlation: Some(correlation),
                    kind: Some(kind),
                    what: format!("answered with {kind:?}{more}"),
                    response: octets(StatusCode::OK, bytes),
                }
            }
            Answer::Refused { bytes, correlation, reason } => {
                edge.metrics.refused(reason.family());
                Self {
                    level: Level::Warning,
                    outcome: "refused",
                    correlation: Some(correlation),
                    kind: None,
                    what: format!("refused: {reason}"),
                    response: octets(StatusCode::BAD_REQUEST, bytes),
                }
            }
        }
    }
}

/// Counts it and writes the line.
fn tell(edge: &Edge, address: IpAddr, told: Told, took: Duration) -> Response {
    let Told { level, outcome, correlation, kind, what, mut response } = told;
    edge.metrics.request(kind.map(|kind| format!("{kind:?}")).as_deref(), outcome, took);
    // Every host gets one every half minute.
    if kind == Some(MessageKind::WatchReply) {
        return response;
    }
    let known = correlation.is_some();
    let correlation = correlation.or_else(|| CorrelationId::new(&SystemRandom).ok());
    let quoted = correlation.as_ref().map(CorrelationId::as_str);
    if let Some(value) = quoted.filter(|_| !known).and_then(|quoted| HeaderValue::from_str(quoted).ok()) {
        response.headers_mut().insert(CORRELATION, value);
    }
    edge.log.write(&Line {
        at: SystemClock.now(),
        level,
        correlation: quoted,
        address: Some(address),
        outcome: Some(outcome),
        what: &what,
        took: Some(took),
    });
    response
}

/// On a thread that may block. None if it panicked.
///
/// That thread goes on when the client hangs up, so it holds the permits.
async fn work(
    edge: &Edge,
    received: Received,
    place: Place,
    strangers: Option<&Strangers>,
) -> Option<Result<Heard, Failure>> {
    let among = match strangers {
        Some(strangers) => Some(strangers.workers.clone().acquire_owned().await.ok()?),
        None => None,
    };
    let worker = Place { _whole: edge.workers.clone().acquire_owned().await.ok()?, _among: among };
    let door = edge.door.clone();
    let heard = move || {
        let _permits = (worker, place);
        door.hear(received.bytes())
    };
    tokio::task::spawn_blocking(heard).await.ok()
}

fn turned_away(edge: &Edge, class: &'static str, what: &str, response: Response) -> Told {
    edge.metrics.turned_away(class);
    let (correlation, kind) = (None, None);
    Told { level: Level::Warning, outcome: "turned-away", correlation, kind, what: what.to_owned(), response }
}

fn octets(status: StatusCode, bytes: Vec<u8>) -> Response {
    let octets = HeaderValue::from_static("application/octet-stream");
    (status, [(header::CONTENT_TYPE, octets)], Body::from(bytes)).into_response()
}

fn unavailable(seconds: u64) -> Response {
    later(StatusCode::SERVICE_UNAVAILABLE, seconds)
}

fn later(status: StatusCode, seconds: u64) -> Response {
    (status, [(header::RETRY_AFTER, HeaderValue::from(seconds))]).into_response()
}
