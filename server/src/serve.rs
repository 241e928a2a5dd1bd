//! HTTP: one endpoint for envelopes, and some for whoever watches over the server.

mod body;
mod certificate;
mod connections;
mod descriptors;
mod health;
mod messages;
mod proxies;
mod stopping;
mod upkeep;
mod watches;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use countersign_protocol::clock::Timestamp;
use countersign_server_core::core::Core;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use self::connections::Coat;
use self::health::{Faults, Health};
use self::proxies::Proxies;
pub(crate) use self::stopping::Stopping;
pub use self::upkeep::first_audit;
pub(crate) use self::upkeep::{due, every};
use self::watches::Watches;
use crate::config::{Limits, Proxy};
use crate::data::DataFolder;
use crate::doors::openpgp::{OpenPgpDoor, Throttle};
use crate::log::{Level, Log};
use crate::metrics::Metrics;
use crate::syslog::{Teller, Telling};
use crate::tls;

/// Bytes of messages held at once, waiting or being worked on.
const HELD: usize = 128 * 1024 * 1024;

/// Questions about our health asked of the store at once.
const WATCHERS: usize = 2;

/// Connections of those who watch over the server.
const WATCHING: Limits = Limits {
    strangers_per_minute: 1,
    hosts_per_second: 1,
    queue: 1,
    connections: 16,
    connections_per_address: 16,
};

/// How the core is served.
pub struct Offer {
    /// For hosts.
    pub listener: TcpListener,
    /// What to speak with them.
    pub tls: Option<Arc<tls::Live>>,
    /// How much at once.
    pub limits: Limits,
    /// Whose word counts about where they are.
    pub proxy: Proxy,
    /// For whoever watches over the server.
    pub metrics: Option<TcpListener>,
    /// Where lines go.
    pub log: Log,
    /// The syslog that takes the ledger.
    pub syslog: Option<PathBuf>,
    /// How the server's subkeys are exchanged.
    pub keys: KeyCare,
}

/// How the server's subkeys are exchanged.
#[derive(Clone)]
pub struct KeyCare {
    /// Where the primary key lies, if it is there.
    pub folder: DataFolder,
    /// How long a pair is used.
    pub rotate_days: u32,
}

#[derive(Clone)]
struct Edge {
    door: OpenPgpDoor,
    throttle: Arc<Throttle>,
    proxies: Proxies,
    /// One permit for each message that is being worked on.
    workers: Arc<Semaphore>,
    /// One permit for each message that is inside at all.
    queue: Arc<Semaphore>,
    /// The same for messages from where no host was seen: no crowd of addresses has all places.
    strangers: Strangers,
    /// One permit for each byte of them.
    bytes: Arc<Semaphore>,
    watchers: Arc<Semaphore>,
    watches: Watches,
    faults: Faults,
    health: Health,
    metrics: Arc<Metrics>,
    log: Log,
    telling: Arc<Telling>,
    tls: Option<Arc<tls::Live>>,
    most: Most,
    keys: KeyCare,
}

/// Half of all places.
#[derive(Clone)]
struct Strangers {
    workers: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Strangers {
    fn of(most: Most) -> Self {
        let half = |all: usize| Arc::new(Semaphore::new((all / 2).max(1)));
        Self { workers: half(most.workers), queue: half(most.queue) }
    }
}

/// How many permits there are.
#[derive(Clone, Copy)]
struct Most {
    workers: usize,
    queue: usize,
}

impl Edge {
    /// Sets the figures of this moment.
    fn measure(&self) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let gauges = &self.metrics.gauges;
        gauges.queue.set(number(self.most.queue.saturating_sub(self.queue.available_permits())));
        gauges.workers.set(number(self.most.workers.saturating_sub(self.workers.available_permits())));
        gauges.key_expires.set(self.door.keys_end().0.map_or(0, Timestamp::seconds));
        gauges.syslog_backlog.set(i64::try_from(self.telling.backlog()).unwrap_or(i64::MAX));
        gauges.edited_rows.set(number(self.door.core().verdict().findings().len()));
        gauges.tls_expires.set(self.tls.as_ref().map_or(0, |tls| tls.expires().seconds()));
    }

    /// What is no reason not to serve, yet.
    fn warnings(&self) -> Vec<String> {
        upkeep::warnings(self)
    }
}

/// Serves until `stop` completes, then finishes what it has begun.
pub async fn serve(offer: Offer, core: Arc<Core>, stop: impl Future<Output = ()> + Send + 'static) {
    let Offer { listener, tls, limits, proxy, metrics: private, log, syslog, keys } = offer;
    let limits = Limits { connections: descriptors::connections(limits.connections), ..limits };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let stopping = Stopping::when(stop);
    let telling = Arc::new(Telling::default());
    let teller = syslog.map(|path| Teller::begin(core.shared_store(), &path, telling.clone()));
    if let Some(Err(error)) = &teller {
        log.note(Level::Error, &format!("the ledger is not told to syslog: {error}"));
    }
    let door = OpenPgpDoor::new(core).with_limit(limits.hosts_per_second);
    // The other half of the connections is for those who do something.
    let watches = Watches::new(
        door.clone(),
        usize::from(limits.connections / 2),
        (threads / 2).max(1),
        stopping.clone(),
    );
    // Half of them work; the others wait for the disk, several for one commit.
    let most = Most { workers: threads * 4, queue: usize::from(limits.queue) };
    let (metrics, proxies) = (Arc::new(Metrics::new()), Proxies::from(proxy));
    let edge = Edge {
        door,
        watches,
        throttle: Arc::new(Throttle::new(limits)),
        proxies: proxies.clone(),
        workers: Arc::new(Semaphore::new(most.workers)),
        queue: Arc::new(Semaphore::new(most.queue)),
        strangers: Strangers::of(most),
        bytes: Arc::new(Semaphore::new(HELD)),
        watchers: Arc::new(Semaphore::new(WATCHERS)),
        faults: Faults::default(),
        health: Health::default(),
        metrics: metrics.clone(),
        log,
        telling,
        tls: tls.clone(),
        most,
        keys,
    };
    tokio::spawn(upkeep::keep(edge.clone(), stopping.clone()));
    let watched = private.map(|listener| {
        let router = health::in_private().with_state(edge.clone());
        tokio::spawn(serve_watchers(listener, router, stopping.clone()))
    });
    let router = Router::new()
        .route("/v1/messages", post(messages::messages))
        .route("/v1/certificate", get(certificate::certificate))
        .merge(health::in_public())
        .with_state(edge);
    let coat = Coat { tls, proxies, metrics: Some(metrics) };
    connections::serve(listener, router, limits, coat, stopping).await;
    if let Some(watched) = watched {
        let _ended = watched.await;
    }
    // It waits for the entry in hand.
    let _ended = tokio::task::spawn_blocking(move || drop(teller)).await;
}

/// Serves those who watch over a process, on an address of their own, until it is time to stop.
pub(crate) async fn serve_watchers(listener: TcpListener, router: Router, stopping: Stopping) {
    let plain = Coat { tls: None, proxies: Proxies::default(), metrics: None };
    connections::serve(listener, router, WATCHING, plain, stopping).await;
}
