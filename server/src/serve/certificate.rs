//! `GET /v1/certificate`: the server's certificate, for a host that was away while its subkeys were exchanged.
//!
//! Nobody need believe it: a host takes it only if the primary key that it has pinned vouches for it.

use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::Edge;
use crate::doors::openpgp::Admission;

pub(super) async fn certificate(
    State(edge): State<Edge>,
    Extension(peer): Extension<SocketAddr>,
    request: Request,
) -> Response {
    let address = edge.proxies.sender(peer, request.headers());
    if let Admission::After(seconds) = edge.throttle.admit(address, Instant::now()) {
        edge.metrics.turned_away("address");
        let after = [(header::RETRY_AFTER, HeaderValue::from(seconds))];
        return (StatusCode::TOO_MANY_REQUESTS, after).into_response();
    }
    let keys = HeaderValue::from_static("application/pgp-keys");
    ([(header::CONTENT_TYPE, keys)], edge.door.certificate()).into_response()
}
