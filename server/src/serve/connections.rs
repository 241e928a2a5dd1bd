//! How many connections there may be, and how long each may do nothing.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use countersign_protocol::limits;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Stopping;
use super::proxies::Proxies;
use crate::config::Limits;
use crate::doors::openpgp::network;
use crate::metrics::{Counted, Metrics};
use crate::tls;

/// How long a client may take for the head of a request, and may idle between two.
const HEAD: Duration = Duration::from_secs(10);

/// Most bytes buffered for one connection: a head, and some of a body.
const BUFFER: usize = 64 * 1024;

/// After this a connection takes no further request.
const LIFE: Duration = Duration::from_secs(300);

/// How long its last one may take: whoever never reads its answer does not keep its place. A watch waits longest.
const LAST: Duration = limits::WATCH.saturating_mul(2);

/// How long open requests may go on after a signal to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long to wait when the kernel has no more descriptors.
const BREATHER: Duration = Duration::from_millis(200);

/// What is around the requests of a connection.
#[derive(Clone)]
pub(super) struct Coat {
    /// Spoken first, if there is any.
    pub(super) tls: Option<Arc<tls::Live>>,
    /// Addresses with many senders behind them.
    pub(super) proxies: Proxies,
    /// Where they are counted.
    pub(super) metrics: Option<Arc<Metrics>>,
}

/// Serves connections until it is time to stop, then lets those that are open finish what they have begun.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    coat: Coat,
    stopping: Stopping,
) {
    let places = Arc::new(Semaphore::new(usize::from(limits.connections)));
    let addresses = Arc::new(Addresses { most: limits.connections_per_address, open: Mutex::default() });
    let mut open = JoinSet::new();
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await.map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>((place, listener.accept().await?))
        };
        let (place, (stream, peer)) = tokio::select! {
            () = stopping.begun() => break,
            accepted = accepted => match accepted {
                Ok(accepted) => accepted,
                Err(_) => {
                    tokio::time::sleep(BREATHER).await;
                    continue;
                }
            },
        };
        let many = coat.proxies.is_one(peer.ip());
        let Some(seat) = addresses.seat(peer.ip(), if many { u16::MAX } else { addresses.most }) else {
            continue;
        };
        let seat = Arc::new(seat);
        let service = service(&router, peer, seat.clone());
        let (coat, stopping) = (coat.clone(), stopping.clone());
        open.spawn(async move {
            let _held = (place, seat);
            let _counted = coat.metrics.as_ref().map(|metrics| Counted::by(&metrics.gauges.connections));
            dressed(stream, service, &coat, stopping).await;
        });
        // What has ended is kept no longer.
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    let _late = tokio::time::timeout(GRACE, async { while open.join_next().await.is_some() {} }).await;
}

/// With TLS or without.
async fn dressed(stream: TcpStream, service: Service, coat: &Coat, stopping: Stopping) {
    let Some(tls) = &coat.tls else { return live(stream, service, stopping).await };
    let handshake = TlsAcceptor::from(tls.config()).accept(stream);
    let agreed = tokio::select! {
        () = stopping.begun() => return,
        agreed = tokio::time::timeout(HEAD, handshake) => agreed,
    };
    match (agreed, &coat.metrics) {
        (Ok(Ok(stream)), _) => live(stream, service, stopping).await,
        (_, Some(metrics)) => metrics.no_tls(),
        (_, None) => {}
    }
}

/// However it ends, there is nobody left to tell.
async fn live(stream: impl AsyncRead + AsyncWrite + Unpin, service: Service, stopping: Stopping) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ended = &mut connection => return,
        () = tokio::time::sleep(LIFE) => {}
        () = stopping.begun() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ended = tokio::time::timeout(LAST, connection).await;
}

type Service = TowerToHyperService<Router>;

fn service(router: &Router, peer: SocketAddr, seat: Arc<Seat>) -> Service {
    TowerToHyperService::new(router.clone().layer(Extension(peer)).layer(Extension(seat)))
}

/// Open connections by address.
struct Addresses {
    most: u16,
    open: Mutex<HashMap<IpAddr, u16>>,
}

/// One of them, until it is dropped.
pub(super) struct Seat {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

/// The connection goes on and does not count among its address's, until this is dropped.
pub(super) struct Aside(Arc<Seat>);

impl Addresses {
    fn seat(self: &Arc<Self>, address: IpAddr, most: u16) -> Option<Seat> {
        let address = network(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Seat { addresses: self.clone(), address })
    }
}

impl Seat {
    /// For a host that waits: many may stand behind one address, and each waits all the time.
    pub(super) fn aside(self: Arc<Self>) -> Aside {
        self.give();
        Aside(self)
    }

    fn give(&self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

impl Drop for Aside {
    /// Its seat may be one more than there are: the connection is open already.
    fn drop(&mut self) {
        let mut open = self.0.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(self.0.address).or_default();
        *count = count.saturating_add(1);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.give();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_so_many_seats_and_gets_them_back() {
        let addresses = Arc::new(Addresses { most: 2, open: Mutex::default() });
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let seats = (
            addresses.seat(one, addresses.most),
            addresses.seat("2001:db8::2".parse().unwrap(), addresses.most),
        );
        assert!(seats.0.is_some() && seats.1.is_some());
        assert!(addresses.seat(one, addresses.most).is_none(), "one network is one address");
        assert!(addresses.seat("192.0.2.1".parse().unwrap(), addresses.most).is_some());
        drop(seats);
        assert!(addresses.open.lock().unwrap().values().all(|count| *count == 1), "the other address");
    }

    #[test]
    fn a_connection_that_waits_takes_no_seat_and_has_one_afterwards() {
        let addresses = Arc::new(Addresses { most: 1, open: Mutex::default() });
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let waiting = Arc::new(addresses.seat(one, addresses.most).unwrap());
        let aside = waiting.clone().aside();
        let other = addresses.seat(one, addresses.most).unwrap();
        assert!(addresses.seat(one, addresses.most).is_none());
        drop(aside);
        drop(other);
        assert!(addresses.seat(one, addresses.most).is_none(), "the one that waited is back");
        drop(waiting);
        assert!(addresses.open.lock().unwrap().is_empty());
    }
}
