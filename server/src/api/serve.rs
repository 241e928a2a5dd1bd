//! A process that does jobs and nothing else: no host speaks with it, and it holds no secret.

use std::sync::Arc;
use std::time::Duration;

use countersign_protocol::ledger::LedgerKey;
use tokio::net::TcpListener;

use super::Workers;
use super::health::Health;
use super::open::{OpenError, Opened, open};
use crate::log::{Level, Log};
use crate::notify;
use crate::serve::{Stopping, due, every, serve_watchers};
use crate::store::Database;

/// How soon a database that is away is asked for again.
const AGAIN: Duration = Duration::from_secs(2);

/// What jobs are done with.
pub struct Offer {
    /// Where they wait.
    pub database: Database,
    /// Whose they must be.
    pub ledger: LedgerKey,
    /// Threads.
    pub workers: u16,
    /// For whoever watches over this process.
    pub metrics: Option<TcpListener>,
    /// Where lines go.
    pub log: Log,
}

/// Jobs are not done any more, and were not stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nothing to do them with.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The kernel has no threads.
    #[error("no threads to do jobs with: {0}")]
    Threads(#[from] std::io::Error),
}

/// Does jobs until `stop` completes, then finishes those in hand. A database that is away is waited for, at the start too.
///
/// # Errors
/// [`ServeError`]: what does not pass by itself.
pub async fn serve(
    offer: Offer,
    began: impl FnOnce(),
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let Offer { database, ledger, workers, metrics, log } = offer;
    let (stopping, health) = (Stopping::when(stop), Arc::new(Health::default()));
    let watched = metrics.map(|listener| {
        tokio::spawn(serve_watchers(listener, Health::router(health.clone()), stopping.clone()))
    });
    let opened = tokio::select! {
        () = stopping.begun() => None,
        opened = come_up(database, ledger, workers, &health, log) => Some(opened?),
    };
    if let Some(Opened { apis, store }) = opened {
        let workers = Workers::begin(apis, None, log)?;
        health.is_up(store, workers.resolved());
        notify::tell("READY=1");
        began();
        watch(&workers, &stopping, log).await;
        notify::tell("STOPPING=1");
        // It waits for the jobs in hand.
        let _ended = tokio::task::spawn_blocking(move || drop(workers)).await;
    }
    if let Some(watched) = watched {
        let _ended = watched.await;
    }
    Ok(())
}

/// Opens the database, as soon as it is there.
async fn come_up(
    database: Database,
    ledger: LedgerKey,
    workers: u16,
    health: &Health,
    log: Log,
) -> Result<Opened, ServeError> {
    loop {
        let (database, ledger) = (database.clone(), ledger.clone());
        let opened = tokio::task::spawn_blocking(move || open(&database, &ledger, workers)).await;
        match opened.map_err(std::io::Error::other)? {
            Ok(opened) => return Ok(opened),
            Err(error) if error.passes() => {
                log.note(Level::Error, &format!("no jobs are done yet, and it is tried again: {error}"));
                health.is_not_up(error.to_string());
                notify::tell("EXTEND_TIMEOUT_USEC=60000000");
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Tells systemd that the threads live, until it is time to stop. Where one of them died it hears nothing, and starts another
/// process.
async fn watch(workers: &Workers, stopping: &Stopping, log: Log) {
    let mut signs = notify::watchdog().map(every);
    loop {
        tokio::select! {
            () = stopping.begun() => return,
            () = due(&mut signs) => {
                if workers.are_alive() {
                    notify::tell("WATCHDOG=1");
                } else {
                    log.note(Level::Error, "a thread that does jobs died; this process is to be started anew");
                }
            }
        }
    }
}
