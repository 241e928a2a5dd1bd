//! A server in this process: as many workers as are wanted, and everything else as the program has it.

use std::sync::Arc;
use std::time::Duration;

use countersign_server::api::Workers;
use countersign_server::config::{self, Limits, LogFormat, LogLevel};
use countersign_server::log::Log;
use countersign_server::open::{Charter, open};
use countersign_server::serve::{KeyCare, Offer, first_audit, serve};
use countersign_server::store::CrashPoint;
use countersign_server_core::api::Api;
use countersign_server_core::roster::{OfflineRules, Rules};
use countersign_tests::Trouble;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::super::cost::Cost;
use super::super::site::Site;
use super::super::{clients, failed, slice};
use super::outcome::Login;
use crate::series::Spread;

/// All clients are at one address, and they are all there is.
const LIMITS: Limits = Limits {
    strangers_per_minute: 1_000_000,
    hosts_per_second: 1_000_000,
    queue: 1024,
    connections: 2048,
    connections_per_address: 1024,
};

/// It, served. Ended when dropped.
pub(super) struct Stage {
    runtime: Option<Runtime>,
    _workers: Workers,
}

impl Stage {
    pub(super) fn set(site: &Site, workers: usize) -> Result<Self, Trouble> {
        let database = site.store.database(&site.folder).map_err(failed)?;
        let rules = Rules { offline: OfflineRules::new(24, 20), emergency_codes: true };
        let url = format!("http://{}", site.address());
        let core = open(&site.folder, &database, &url, Charter::from(rules), CrashPoint::never());
        let core = Arc::new(core.map_err(failed)?);
        let log = Log::new(config::Log { format: LogFormat::Text, level: LogLevel::Error });
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
        let listener = runtime.block_on(async {
            first_audit(&core, log).await;
            TcpListener::bind(site.address()).await.map_err(failed)
        })?;
        let apis = (0..workers).map(|_| core.api().map_err(failed)).collect::<Result<Vec<Api>, Trouble>>()?;
        let workers = Workers::begin(apis, Some(&core), log).map_err(failed)?;
        let keys = KeyCare { folder: site.folder.clone(), rotate_days: config::Keys::default().rotate_days };
        let offer = Offer {
            listener,
            tls: None,
            limits: LIMITS,
            proxy: config::Proxy::default(),
            metrics: None,
            log,
            syslog: None,
            keys,
        };
        runtime.spawn(serve(offer, core, std::future::pending()));
        Ok(Self { runtime: Some(runtime), _workers: workers })
    }

    /// So many logins by so many clients: what a round trip costs here and now.
    pub(super) fn logins(&self, site: &Site, clients: usize, many: usize) -> Result<Login, Trouble> {
        let requests = slice::make(site, usize::MAX, 0, many)?;
        let before = own_cpu()?;
        let sent = clients::send(site.address(), &requests, clients)?;
        let cpu = own_cpu()? - before;
        let per_second = sent.trips.len() as f64 / sent.took.as_secs_f64();
        Ok(Login { per_second, both_cpu_us: cpu * 1e6 / many as f64, trip: Spread::of(sent.trips) })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

/// Processor time of this process, in seconds.
pub(super) fn own_cpu() -> Result<f64, Trouble> {
    Ok(Cost::of(std::process::id())?.cpu.as_secs_f64())
}
