//! How many connections there may be, and how long each may do nothing.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::config::Limits;
use crate::doors::openpgp::network;

/// How long a client may take for the head of a request, and may idle between two.
const HEAD: Duration = Duration::from_secs(10);

/// Most bytes buffered for one connection: a head, and some of a body.
const BUFFER: usize = 64 * 1024;

/// Longest life of a connection: whoever never reads its answer does not keep its place.
const LIFE: Duration = Duration::from_secs(300);

/// How long open requests may go on after a signal to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long to wait when the kernel has no more descriptors.
const BREATHER: Duration = Duration::from_millis(200);

/// Serves connections until `stop` completes, then lets those that are open finish.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let places = Arc::new(Semaphore::new(usize::from(limits.connections)));
    let addresses = Arc::new(Addresses { most: limits.connections_per_address, open: Mutex::default() });
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await.map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>((place, listener.accept().await?))
        };
        let (place, (stream, peer)) = tokio::select! {
            () = &mut stop => break,
            accepted = accepted => match accepted {
                Ok(accepted) => accepted,
                Err(_) => {
                    tokio::time::sleep(BREATHER).await;
                    continue;
                }
            },
        };
        let Some(seat) = addresses.seat(peer.ip()) else { continue };
        let connection = graceful.watch(connection(stream, peer, &router));
        tokio::spawn(async move {
            let _held = (place, seat);
            // However it ends, there is nobody left to tell.
            let _ended = tokio::time::timeout(LIFE, connection).await;
        });
    }
    drop(listener);
    let _late = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

type Service = TowerToHyperService<Router>;

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: &Router,
) -> http1::Connection<TokioIo<TcpStream>, Service> {
    let service = TowerToHyperService::new(router.clone().layer(Extension(peer)));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service)
}

/// Open connections by address.
struct Addresses {
    most: u16,
    open: Mutex<HashMap<IpAddr, u16>>,
}

/// One of them, until it is dropped.
struct Seat {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    fn seat(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let address = network(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Seat { addresses: self.clone(), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_so_many_seats_and_gets_them_back() {
        let addresses = Arc::new(Addresses { most: 2, open: Mutex::default() });
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let seats = (addresses.seat(one), addresses.seat("2001:db8::2".parse().unwrap()));
        assert!(seats.0.is_some() && seats.1.is_some());
        assert!(addresses.seat(one).is_none(), "one network is one address");
        assert!(addresses.seat("192.0.2.1".parse().unwrap()).is_some());
        drop(seats);
        assert!(addresses.open.lock().unwrap().is_empty());
    }
}
