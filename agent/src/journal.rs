//! The host's own memory of what it decided, hash-chained, and the events the server has not confirmed yet.

mod chain;
mod emergency;
mod faults;
mod opening;
mod outbox;
mod reading;
mod report;
mod sessions;
mod unsettled;
mod uses;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Digest;
use countersign_protocol::message::HostEvent;
use rusqlite::{Connection, Transaction};
use serde::Serialize;

use self::chain::Place;
pub use self::emergency::CountedTry;
use self::faults::CrashPoint;
pub use self::outbox::{Unsent, Which};
pub use self::reading::Written;
pub use self::report::{Disputed, Report};
pub use self::unsettled::{SentJob, Stage, Unsettled};
pub use self::uses::{Counted, NewUse, UseError};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS journal (
        seq   INTEGER PRIMARY KEY,
        at    TEXT NOT NULL,
        entry TEXT NOT NULL,
        hash  BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS anchor (
        one  INTEGER PRIMARY KEY CHECK (one = 1),
        seq  INTEGER NOT NULL,
        hash BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS outbox (
        id     INTEGER PRIMARY KEY AUTOINCREMENT,
        event  TEXT NOT NULL,
        sealed TEXT,
        flood  INTEGER NOT NULL DEFAULT 0,
        refused INTEGER NOT NULL DEFAULT 0,
        roster   BLOB,
        disputed TEXT
    ) STRICT;
    CREATE TABLE IF NOT EXISTS used_roster (
        digest BLOB PRIMARY KEY,
        signed TEXT NOT NULL
    ) STRICT;
";

/// Columns that journals of earlier versions lack.
const LATER: [(&str, &str); 4] = [
    ("flood", "INTEGER NOT NULL DEFAULT 0"),
    ("refused", "INTEGER NOT NULL DEFAULT 0"),
    ("roster", "BLOB"),
    ("disputed", "TEXT"),
];

/// The journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("the journal: {why}")]
pub struct JournalError {
    why: String,
    fault: Fault,
}

/// What is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The disk, another program, or nobody knows: it may pass.
    Passing,
    /// The file: it is no journal any more.
    File,
    /// Somebody who changed an entry of the chain, or removed one.
    Chain,
}

impl JournalError {
    const fn new(why: String) -> Self {
        Self { why, fault: Fault::Passing }
    }

    /// Whether it says nothing about what the journal holds: the disk, or another program, stood in the way.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self.fault, Fault::Passing)
    }

    const fn is_damage(&self) -> bool {
        matches!(self.fault, Fault::File)
    }
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        let fault = if opening::is_damage(&error) { Fault::File } else { Fault::Passing };
        Self { why: error.to_string(), fault }
    }
}

impl From<serde_json::Error> for JournalError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// Entries of the chain; a hundredth more before the oldest go.
    entries: i64,
    /// Events in the outbox. A host cut off for longer forgets some of them, which stay in the chain.
    unsent: i64,
}

const ON_DISK: Room = Room { entries: 100_000, unsent: 10_000 };

/// Pages that are kept in memory, in KiB, which SQLite wants as a negative number: its own 2 MiB would fill up with a
/// few thousand logins and look like a leak, and nothing here reads much of the file at once.
const CACHE: i64 = -256;

/// The journal's file.
#[derive(Debug)]
pub struct Journal {
    /// Held for one statement or one short transaction.
    connection: Mutex<Connection>,
    room: Room,
    in_memory: bool,
    trouble: Option<String>,
    /// An entry of the chain was changed or removed, or cannot be read any more, as far as was looked.
    broken: AtomicBool,
    crash: CrashPoint,
}

impl Journal {
    /// Opens the file, for root only (the process's umask sees to that). `held` is the roster that this host holds:
    /// if this journal does not know how often it was used, it is used no more.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path, held: Option<Digest>) -> Result<Self, JournalError> {
        Self::with(Connection::open(path)?, ON_DISK, held)
    }

    fn with(mut connection: Connection, room: Room, held: Option<Digest>) -> Result<Self, JournalError> {
        if connection.is_readonly(rusqlite::MAIN_DB)? {
            // SQLite opens a file that it cannot write, and says so only when it should.
            return Err(JournalError::new("it can be read, but not written".to_owned()));
        }
        connection.pragma_update(None, "cache_size", CACHE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(SCHEMA)?;
        connection.execute_batch(unsettled::SCHEMA)?;
        connection.execute_batch(sessions::SCHEMA)?;
        connection.execute_batch(emergency::SCHEMA)?;
        for (column, kind) in LATER {
            let found = "SELECT count(*) FROM pragma_table_info('outbox') WHERE name = ?1";
            if connection.query_row(found, [column], |row| row.get::<_, i64>(0))? == 0 {
                connection.execute_batch(&format!("ALTER TABLE outbox ADD COLUMN {column} {kind}"))?;
            }
        }
        if !uses::counts(&connection)? {
            let transaction = connection.transaction()?;
            transaction.execute_batch(uses::SCHEMA)?;
            held.map_or(Ok(()), |held| uses::bar(&transaction, held))?;
            transaction.commit()?;
        }
        let journal = Self {
            connection: Mutex::new(connection),
            room,
            in_memory: false,
            trouble: None,
            broken: AtomicBool::new(false),
            crash: CrashPoint::default(),
        };
        // A damaged file may open; it shows at the first look.
        chain::page(&journal.lock(), None)?;
        journal.oldest_unsent(Which::All)?;
        journal.unsent()?;
        journal.unsettled()?;
        Ok(journal)
    }

    /// Adds one entry to the chain.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn write(&self, at: Timestamp, entry: &impl Serialize) -> Result<(), JournalError> {
        let text = serde_json::to_string(entry)?;
        self.in_one_step(|transaction| chain::append(transaction, at, &text, self.room.entries)).map(drop)
    }

    /// Adds an event to the chain and to the outbox, in one step, in words that the server takes.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn report(&self, event: &HostEvent) -> Result<(), JournalError> {
        let event = outbox::sayable(event);
        let text = serde_json::to_string(&event)?;
        self.in_one_step(|transaction| {
            chain::append(transaction, event.at, &text, self.room.entries)?;
            outbox::add(transaction, event.event, &text, self.room.unsent)
        })
    }

    /// Has the process kill itself at the `n`-th point from now on: one lies before each commit, and one after.
    #[cfg(debug_assertions)]
    pub fn crash_at(&self, n: u64) {
        self.crash.set(n);
    }

    /// Checks the chain from its anchor; returns how many entries there are. A page at a time: who writes
    /// meanwhile waits for one page.
    ///
    /// # Errors
    /// [`JournalError`] names the first entry that was changed or removed.
    pub fn verify(&self) -> Result<u64, JournalError> {
        let checked = self.verify_all();
        match &checked {
            Ok(_) => self.broken.store(false, Ordering::SeqCst),
            Err(error) if error.fault == Fault::Passing => {}
            Err(_) => self.broken.store(true, Ordering::SeqCst),
        }
        checked
    }

    fn verify_all(&self) -> Result<u64, JournalError> {
        let (mut place, mut count) = (None, 0);
        while let Some((next, more)) = self.verify_page(place)? {
            (place, count) = (Some(next), count + more);
        }
        Ok(count)
    }

    /// Whether [`Self::verify`] found it changed or damaged when it last came to an end.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    fn verify_page(&self, after: Option<Place>) -> Result<Option<(Place, u64)>, JournalError> {
        let page = chain::page(&self.lock(), after)?;
        page.check()
    }

    /// One transaction, on the disk when this returns.
    fn in_one_step<T, E: From<JournalError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.commit(&mut self.lock(), work)
    }

    /// One transaction that the next one carries to the disk: it outlives this process, but not a power cut.
    fn without_waiting(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let mut connection = self.lock();
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let done = self.commit(&mut connection, work);
        connection.pragma_update(None, "synchronous", "FULL")?;
        done
    }

    fn commit<T, E: From<JournalError>>(
        &self,
        connection: &mut Connection,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = connection.transaction().map_err(JournalError::from)?;
        let done = work(&transaction)?;
        self.crash.pass();
        transaction.commit().map_err(JournalError::from)?;
        self.crash.pass();
        Ok(done)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic left open is rolled back when its guard goes.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
