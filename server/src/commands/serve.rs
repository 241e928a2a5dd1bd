//! `countersign-server serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use countersign_protocol::clock::{Clock as _, SystemClock};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{CommandError, print, serve_api};
use crate::api::Workers;
use crate::config::Config;
use crate::data::{DataFolder, publish_ledger_pub};
use crate::log::{Level, Log};
use crate::notify;
use crate::open::{Charter, open};
use crate::post::{self, PostOffice};
use crate::serve::{KeyCare, Offer, first_audit, serve};
use crate::store::CrashPoint;
use crate::tls;

/// How long threads may go on after the last answer was sent.
pub(super) const LAST_WORK: Duration = Duration::from_secs(5);

/// What this process does. The two parts share a database, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    /// Answers hosts, and does what is asked of documents.
    All,
    /// Answers hosts. What is asked of documents waits for a process with the role api.
    Auth,
    /// Does what is asked of documents. Needs no secret: of the data folder it reads ledger.pub.
    Api,
}

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// What this process does.
    #[arg(long, value_enum, default_value = "all")]
    role: Role,
    /// A test aid: kill this process right after the N-th write to the database. Only in debug builds.
    #[arg(long, value_name = "N", hide = true)]
    crash_after_write: Option<u64>,
}

pub(super) fn run(arguments: ServeArguments) -> Result<(), CommandError> {
    let config =
        Config::read(&arguments.config).map_err(|error| CommandError::Configuration(error.to_string()))?;
    if arguments.role == Role::Api {
        return serve_api::run(&config);
    }
    let crash = crash_point(arguments.crash_after_write)?;
    let folder = DataFolder::at(config.data.clone());
    let charter =
        Charter { rules: config.rules(), reach: post::reach(&config), rotate_days: config.keys.rotate_days };
    let tls = match &config.tls {
        Some(files) => Some(Arc::new(
            tls::Live::begin(files.into(), SystemClock.now())
                .map_err(|error| CommandError::Configuration(error.to_string()))?,
        )),
        None => None,
    };
    let carriers = post::carriers(&config).map_err(|error| CommandError::Configuration(error.to_string()))?;
    let database = config.store.database(&folder).map_err(|error| CommandError::Data(error.to_string()))?;
    let core = open(&folder, &database, config.url.as_str(), charter, crash)
        .map_err(|error| CommandError::Data(error.to_string()))?;
    let runtime = runtime()?;
    let (log, core) = (Log::new(config.log), Arc::new(core));
    if let Err(error) = publish_ledger_pub(&folder, core.ledger_key()) {
        // Nothing here needs it.
        log.note(Level::Warning, &format!("for a process with the role api: {error}"));
    }
    runtime.block_on(async {
        first_audit(&core, log).await;
        let unusable = |error: std::io::Error| {
            CommandError::Listen(format!(
                "cannot listen on {}: {error}. Is another server running?",
                config.listen
            ))
        };
        let listener = TcpListener::bind(config.listen).await.map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        let metrics = match config.metrics.listen {
            Some(address) => Some(metrics_listener(address).await?),
            None => None,
        };
        let stop = signals()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        print(&format!("listening on {scheme}://{address}\n"));
        if let Some(address) = metrics.as_ref().and_then(|metrics| metrics.local_addr().ok()) {
            print(&format!("metrics on http://{address}/metrics\n"));
        }
        let failed = |error: std::io::Error| CommandError::Failed(error.to_string());
        let workers = if arguments.role == Role::All { config.api.workers } else { 0 };
        let apis = (0..workers).map(|_| core.api()).collect::<Result<_, _>>();
        let apis = apis.map_err(|failure| CommandError::Failed(failure.to_string()))?;
        let _workers = Workers::begin(apis, Some(&core), log).map_err(failed)?;
        let _post_office = PostOffice::open(&core, carriers, log).map_err(failed)?;
        let Config { limits, proxy, ledger, keys, .. } = config;
        let keys = KeyCare { folder, rotate_days: keys.rotate_days };
        let offer = Offer { listener, tls, limits, proxy, metrics, log, syslog: ledger.syslog, keys };
        notify::tell("READY=1");
        serve(offer, core, stop).await;
        Ok(())
    })?;
    // What is still being worked on has had its time: its sender sends the same bytes again.
    runtime.shutdown_timeout(LAST_WORK);
    Ok(())
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| CommandError::Failed(format!("no threads to serve with: {error}")))
}

pub(super) async fn metrics_listener(address: SocketAddr) -> Result<TcpListener, CommandError> {
    let unusable = |error| CommandError::Listen(format!("cannot listen for metrics on {address}: {error}"));
    TcpListener::bind(address).await.map_err(unusable)
}

/// Completes when this process is to stop.
pub(super) fn signals() -> Result<impl Future<Output = ()> + Send + 'static, CommandError> {
    let failed = |error: std::io::Error| CommandError::Failed(error.to_string());
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(debug_assertions)]
pub(super) fn crash_point(after: Option<u64>) -> Result<CrashPoint, CommandError> {
    Ok(after.map_or_else(CrashPoint::never, CrashPoint::after_write))
}

#[cfg(not(debug_assertions))]
pub(super) fn crash_point(after: Option<u64>) -> Result<CrashPoint, CommandError> {
    match after {
        None => Ok(CrashPoint::never()),
        Some(_) => {
            Err(CommandError::Failed("--crash-after-write is a test aid; this build does not have it".into()))
        }
    }
}
