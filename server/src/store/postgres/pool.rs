//! Connections that are kept for whoever comes next.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_server_core::store::StoreError;

use super::address::Address;
use super::connection::Connection;

/// Most of them. There are never more at once than threads that work on messages.
const KEPT: usize = 64;

/// How long a database that said nothing is waited for by those who come next: their messages are turned away soon, and do not
/// keep everybody's places.
const SHORT: Duration = Duration::from_secs(3);

/// Those that nobody uses right now.
pub(super) struct Pool {
    pub(super) address: Address,
    idle: Mutex<Vec<Connection>>,
    /// An answer was waited for in vain, and nobody has heard of the database since.
    silent: AtomicBool,
}

impl Pool {
    pub(super) const fn new(address: Address) -> Self {
        Self { address, idle: Mutex::new(Vec::new()), silent: AtomicBool::new(false) }
    }

    /// A connection that was alive a moment ago.
    pub(super) fn take(&self) -> Result<Connection, StoreError> {
        if self.silent.load(Ordering::Relaxed) {
            let connection = Connection::open_within(&self.address, SHORT)?;
            self.silent.store(false, Ordering::Relaxed);
            return Ok(connection);
        }
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(connection) if connection.is_alive() => return Ok(connection),
                // The database was restarted, or an administrator ended it.
                Some(_dead) => {}
                None => return Connection::open(&self.address),
            }
        }
    }

    pub(super) fn put_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.fell_silent() {
            self.silent.store(true, Ordering::Relaxed);
            // Behind a proxy the others look alive, and each of them would be waited for as long.
            idle.clear();
        }
        if idle.len() < KEPT && connection.is_usable() {
            idle.push(connection);
        }
    }
}
