//! The API's threads. Each does jobs until there are none, and sleeps until somebody rings.

mod health;
pub mod open;
pub mod serve;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use countersign_server_core::api::{Api, Worked};
use countersign_server_core::core::Core;
use countersign_server_core::stop::Failure;
use prometheus_client::metrics::counter::Counter;

use crate::log::{Level, Log};

/// How often the queue is looked at: another process may have put something there.
const PAUSE: Duration = Duration::from_millis(200);

/// After the store failed.
const LONGER_PAUSE: Duration = Duration::from_secs(5);

/// The threads that do jobs. They end when this is dropped, each with the jobs that it has in hand.
pub struct Workers {
    bell: Arc<Bell>,
    threads: Vec<std::thread::JoinHandle<()>>,
    /// Jobs of which something came.
    resolved: Counter,
}

#[derive(Default)]
struct Bell {
    rung: Mutex<Rung>,
    rang: Condvar,
}

#[derive(Default)]
struct Rung {
    times: u64,
    closed: bool,
}

impl Bell {
    fn ring(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        rung.times = rung.times.wrapping_add(1);
        drop(rung);
        self.rang.notify_one();
    }

    fn times(&self) -> u64 {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner).times
    }

    /// Waits so long, or until it rang again since `times`; whether there is still something to do.
    fn wait(&self, times: u64, pause: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rang.wait_timeout_while(rung, pause, |rung| !rung.closed && rung.times == times);
        !waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }
}

impl Workers {
    /// Starts one thread for each. What they do is written into the ledger by `auth`, where that is this process.
    ///
    /// # Errors
    /// The kernel has no thread.
    pub fn begin(apis: Vec<Api>, auth: Option<&Arc<Core>>, log: Log) -> std::io::Result<Self> {
        let bell = Arc::<Bell>::default();
        if let Some(core) = auth {
            let told = Arc::downgrade(&bell);
            core.queue().listen(Box::new(move || {
                if let Some(bell) = told.upgrade() {
                    bell.ring();
                }
            }));
        }
        let mut workers = Self { bell, threads: Vec::new(), resolved: Counter::default() };
        for (number, api) in apis.into_iter().enumerate() {
            let (bell, core, resolved) = (workers.bell.clone(), auth.cloned(), workers.resolved.clone());
            let thread = std::thread::Builder::new().name(format!("api-{number}"));
            workers.threads.push(thread.spawn(move || work(&api, core.as_deref(), &bell, &resolved, log))?);
        }
        Ok(workers)
    }

    /// Counts the jobs of which something came.
    #[must_use]
    pub fn resolved(&self) -> Counter {
        self.resolved.clone()
    }

    /// Whether none of them died.
    #[must_use]
    pub fn are_alive(&self) -> bool {
        !self.threads.iter().any(std::thread::JoinHandle::is_finished)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.bell.rung.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.bell.rang.notify_all();
        for thread in self.threads.drain(..) {
            // One that panicked has said so.
            let _ended = thread.join();
        }
    }
}

fn work(api: &Api, auth: Option<&Core>, bell: &Bell, resolved: &Counter, log: Log) {
    let mut pause = Duration::ZERO;
    let mut seen = bell.times();
    // Whoever did jobs here before may have died before they were written down.
    let mut is_first = true;
    while bell.wait(seen, pause) {
        seen = bell.times();
        // A bug in one job must not end the thread that does all others.
        let worked = std::panic::catch_unwind(AssertUnwindSafe(|| api.work()));
        let worked = worked.unwrap_or_else(|_| Err(Failure::Reply("a panic while jobs were done".into())));
        let worked = worked.inspect(|worked| {
            let _before = resolved.inc_by(worked.resolved);
        });
        let worked = worked.and_then(|worked| match auth {
            Some(core) if worked.resolved > 0 || is_first => core.record_jobs().map(|()| worked),
            _ => Ok(worked),
        });
        is_first &= worked.is_err();
        for stuck in worked.iter().flat_map(|worked| &worked.stuck) {
            log.note(Level::Error, &format!("a job is stuck, and is tried again: {stuck}"));
        }
        pause = match worked {
            Ok(Worked { is_more: true, .. }) => Duration::ZERO,
            Ok(Worked { is_more: false, .. }) => PAUSE,
            Err(failure) => {
                log.note(Level::Error, &format!("jobs wait, and are tried again: {failure}"));
                LONGER_PAUSE
            }
        };
    }
}
