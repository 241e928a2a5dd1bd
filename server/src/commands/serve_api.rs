//! `countersign-server serve --role api`: does jobs, and nothing else.

use countersign_protocol::ledger::LedgerKey;
use tokio::net::TcpListener;

use super::{CommandError, print};
use crate::api::open::OpenError;
use crate::api::serve::{Offer, ServeError, serve};
use crate::config::Config;
use crate::data::{DataFolder, read_ledger_pub};
use crate::log::Log;
use crate::store::Database;

/// The key and the database, as the configuration names them: all that is read.
pub(super) fn files(config: &Config) -> Result<(LedgerKey, Database), CommandError> {
    let wrong = |error: &dyn std::fmt::Display| CommandError::Data(error.to_string());
    let folder = DataFolder::at(config.data.clone());
    let ledger = read_ledger_pub(&folder).map_err(|error| wrong(&error))?;
    let database = config.store.database(&folder).map_err(|error| wrong(&error))?;
    Ok((ledger, database))
}

pub(super) fn run(config: &Config) -> Result<(), CommandError> {
    let (ledger, database) = files(config)?;
    let (log, workers) = (Log::new(config.log), config.api.workers);
    let runtime = super::serve::runtime()?;
    runtime.block_on(async {
        let metrics = match config.metrics.listen {
            Some(address) => Some(super::serve::metrics_listener(address).await?),
            None => None,
        };
        let stop = super::serve::signals()?;
        if let Some(address) = metrics.as_ref().and_then(|metrics: &TcpListener| metrics.local_addr().ok()) {
            print(&format!("metrics on http://{address}/metrics\n"));
        }
        let began = || print(&format!("doing jobs, {workers} at once\n"));
        serve(Offer { database, ledger, workers, metrics, log }, began, stop).await.map_err(|error| {
            match error {
                ServeError::Open(error @ (OpenError::Tables(_) | OpenError::Server(_))) => {
                    CommandError::Data(error.to_string())
                }
                other => CommandError::Failed(other.to_string()),
            }
        })
    })?;
    runtime.shutdown_timeout(super::serve::LAST_WORK);
    Ok(())
}
