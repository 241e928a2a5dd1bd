//! The ledger, entry by entry, to syslog (RFC 5424), as `[ledger] syslog` says.
//!
//! A thread of its own follows the log from a cursor in the database and sends every committed entry in order. It never
//! holds up a decision: while syslog takes nothing the entries wait in the ledger, and health says how many. The cursor
//! moves after entries were taken, so that after a crash the last ones may come once more, under the same index.

mod format;
mod socket;

pub use format::line;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ids::Digest;
use countersign_protocol::random::{self, SystemRandom};
use countersign_server_core::ledger::LedgerWriteError;
use countersign_server_core::stop::Failure;
use countersign_server_core::store::{Store, StoreError};

use self::socket::Socket;

/// Entries sent between two moves of the cursor.
const BATCH: u64 = 512;

/// How long to wait for news.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest wait for a syslog that is gone.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long a process may be silent before another one sends, in seconds.
const LEASE: i64 = 30;

/// Looks in a row at which syslog took nothing, after which another process may send: a quarter of a minute.
const TRIES: u32 = 5;

/// How it stands, for health and metrics.
#[derive(Debug, Default)]
pub struct Telling {
    /// The first entry that was not taken.
    next: AtomicU64,
    /// Entries that wait.
    backlog: AtomicU64,
    /// Another process sends.
    aside: AtomicBool,
    trouble: Mutex<Option<String>>,
}

impl Telling {
    /// Entries that wait to be taken.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        self.backlog.load(Ordering::Relaxed)
    }

    /// Entries that were taken, by this process or another.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Whether another process sends.
    #[must_use]
    pub fn is_aside(&self) -> bool {
        self.aside.load(Ordering::Relaxed)
    }

    /// Why nothing is taken, if so.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_in(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// The thread that sends. Dropped, it ends after the entry in hand.
pub struct Teller {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Teller {
    /// Begins to send what `store` holds to the socket at `path`.
    ///
    /// # Errors
    /// No thread or no randomness.
    pub fn begin(store: Arc<dyn Store>, path: &Path, telling: Arc<Telling>) -> std::io::Result<Self> {
        let name: [u8; 16] = random::array(&SystemRandom).map_err(std::io::Error::other)?;
        let stop = Arc::new(AtomicBool::new(false));
        let task = Task {
            store,
            path: path.to_owned(),
            holder: Digest::of(&name).to_string(),
            telling,
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name("syslog".into()).spawn(move || task.run())?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ended = thread.join();
        }
    }
}

struct Task {
    store: Arc<dyn Store>,
    path: PathBuf,
    holder: String,
    telling: Arc<Telling>,
    stop: Arc<AtomicBool>,
}

/// What became of one look.
enum Look {
    /// There may be more.
    More,
    /// Everything was taken, or another process sends.
    Nothing,
    /// Syslog takes nothing.
    Trouble(String),
}

impl Task {
    fn run(self) {
        let (mut socket, mut pause, mut failed) = (None, PAUSE, 0);
        while !self.stop.load(Ordering::Relaxed) {
            let trouble = match self.look(&mut socket) {
                Ok(Look::More) => continue,
                Ok(Look::Nothing) => None,
                Ok(Look::Trouble(trouble)) => Some(trouble),
                Err(failure) => Some(failure.to_string()),
            };
            (pause, failed) = match trouble {
                Some(_) => ((pause * 2).min(LONGEST_PAUSE), failed + 1),
                None => (PAUSE, 0),
            };
            self.telling.is_in(trouble);
            // Ours may be broken while another process's is not. If there is none, the lease is ours again after the pause.
            if failed >= TRIES {
                failed = 0;
                let _left = self.leave();
            }
            std::thread::park_timeout(pause);
        }
        let _left = self.leave();
    }

    fn look(&self, socket: &mut Option<Socket>) -> Result<Look, Failure> {
        let now = SystemClock.now();
        let size = self.store.view()?.tip()?.size;
        let told = self.telling.told();
        // Nothing new, and nobody whose place to take: not worth a transaction.
        if size == told && told > 0 && !self.telling.is_aside() {
            self.telling.backlog.store(0, Ordering::Relaxed);
            return Ok(Look::Nothing);
        }
        let tx = self.store.begin()?;
        let held = tx.hold_outlet(&self.holder, now, now.plus(LEASE))?;
        tx.commit()?;
        self.telling.aside.store(held.is_none(), Ordering::Relaxed);
        let Some(next) = held else { return Ok(Look::Nothing) };
        self.telling.next.store(next, Ordering::Relaxed);
        self.telling.backlog.store(size.saturating_sub(next), Ordering::Relaxed);
        if next >= size {
            return Ok(Look::Nothing);
        }
        let entries = self.store.view()?.entries(next, BATCH.min(size - next))?;
        if entries.is_empty() {
            return Err(LedgerWriteError::Damaged(format!("entry {next} of {size} is missing")).into());
        }
        let (mut at, mut trouble) = (next, None);
        for exported in &entries {
            let line = line(at, &exported.entry.0);
            if let Err(error) = Socket::send(socket, &self.path, line.as_bytes()) {
                trouble = Some(format!("{}: {error}", self.path.display()));
                break;
            }
            at += 1;
        }
        if at > next {
            let tx = self.store.begin()?;
            let ours = tx.told_outlet(&self.holder, at)?;
            tx.commit()?;
            if ours {
                self.telling.next.store(at, Ordering::Relaxed);
                self.telling.backlog.store(size.saturating_sub(at), Ordering::Relaxed);
            }
        }
        Ok(trouble.map_or(Look::More, Look::Trouble))
    }

    fn leave(&self) -> Result<(), StoreError> {
        let tx = self.store.begin()?;
        tx.leave_outlet(&self.holder)?;
        tx.commit()
    }
}
