//! Copying the log of writes into the file, beside whoever writes.
//!
//! A commit appends to the log. The log can be begun anew only when all of it was copied into the file and the file is on the
//! disk: a checkpoint. SQLite lets the writer do that after one of its commits, while everybody else waits for a turn. Here a
//! thread with a connection of its own copies most of it before that. Under constant writing it never gets to the end, because
//! the end moves: so the writer finishes as before, and finds little left to do.
//!
//! Nothing depends on the thread. Where it cannot work, or is slow, the writer copies what there is.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::PATIENCE;

/// From how many pages in the log on a commit of the writer finishes: 16 MiB. The larger, the more seldom is a page copied that
/// changes with each login.
pub(super) const FINISH_FROM: u32 = 4096;

/// What the thread goes by. It begins half-way to the writer's number, and goes on in small steps: they leave little to the writer.
/// If one is done between two commits, SQLite puts the file on the disk too.
const PACE: Pace = Pace { from: 2048, step: 256, pause: Duration::from_millis(20) };

/// How long nothing is tried after a failure. A disk that is full stays so for a while.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

// Before this version, a checkpoint beside one that ends and a commit could mark pages as copied that were not:
// https://sqlite.org/wal.html#walresetbug
const _: () = assert!(rusqlite::ffi::SQLITE_VERSION_NUMBER >= 3_051_003, "this SQLite can lose writes");

#[derive(Clone, Copy)]
struct Pace {
    /// Pages in the log before anything is copied.
    from: i64,
    /// Pages that were not copied, for which it is worth it.
    step: i64,
    /// Between two looks while somebody writes.
    pause: Duration,
}

/// The thread, from the first write on. Dropping this ends it, and waits for it.
pub(super) struct Checkpoints {
    path: PathBuf,
    pace: Pace,
    told: Arc<Told>,
    /// None if there could be none.
    thread: OnceLock<Option<JoinHandle<()>>>,
}

impl Checkpoints {
    /// Of the file at `path`.
    pub(super) fn of(path: &Path) -> Self {
        Self::at_pace(path, PACE)
    }

    fn at_pace(path: &Path, pace: Pace) -> Self {
        Self { path: path.to_owned(), pace, told: Arc::default(), thread: OnceLock::new() }
    }

    /// There will be a commit: the thread looks at the log a moment later. As long as nobody says so, it sleeps.
    pub(super) fn somebody_writes(&self) {
        let _started = self.thread.get_or_init(|| {
            let copying = Copying { path: self.path.clone(), pace: self.pace, told: Arc::clone(&self.told) };
            std::thread::Builder::new().name("checkpoints".into()).spawn(move || copying.run()).ok()
        });
        let mut state = self.told.state();
        if !state.written {
            state.written = true;
            self.told.changed.notify_all();
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.told.state().stopped = true;
        self.told.changed.notify_all();
        if let Some(thread) = self.thread.take().flatten() {
            let _ended = thread.join();
        }
    }
}

/// Copies all of the log, and leaves nothing of it. `false` if somebody reads it, and then it stays. Another checkpoint is soon
/// over and is waited for.
///
/// # Errors
/// SQLite's.
pub(super) fn cut_off(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let begun = Instant::now();
    loop {
        let log = Log::after("PRAGMA wal_checkpoint(TRUNCATE)", connection)?;
        if !log.is_with_another() || begun.elapsed() > PATIENCE {
            return Ok(!log.is_busy);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[derive(Default)]
struct Told {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    written: bool,
    stopped: bool,
}

impl Told {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until somebody writes, and `pause` longer. Whether to go on.
    fn wait(&self, pause: Duration) -> bool {
        let nothing = |state: &mut State| !state.written && !state.stopped;
        let state = self.changed.wait_while(self.state(), nothing).unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, pause, |state| !state.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        state.written = false;
        !state.stopped
    }
}

/// What the thread does.
struct Copying {
    path: PathBuf,
    pace: Pace,
    told: Arc<Told>,
}

impl Copying {
    fn run(self) {
        let (mut connection, mut pause) = (None, self.pace.pause);
        while self.told.wait(pause) {
            // The writer fails for the same reason, if it matters, and says so to somebody.
            pause = match self.look(&mut connection) {
                Ok(()) => self.pace.pause,
                Err(_) => {
                    connection = None;
                    AFTER_FAILURE
                }
            };
        }
    }

    fn look(&self, connection: &mut Option<Connection>) -> Result<(), rusqlite::Error> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(open(&self.path)?),
        };
        let log = Log::after("PRAGMA wal_checkpoint(NOOP)", connection)?;
        if log.pages >= self.pace.from && log.pages - log.copied >= self.pace.step {
            Log::after("PRAGMA wal_checkpoint(PASSIVE)", connection)?;
        }
        Ok(())
    }
}

/// A connection that copies as durably as the writer does: the log is on the disk before anything of it gets into the file, and
/// the file before the log is begun anew. `NORMAL` would do for a checkpoint, `OFF` would not.
fn open(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// The log, as a checkpoint tells of it. Both numbers are -1 where it could not look.
struct Log {
    is_busy: bool,
    pages: i64,
    copied: i64,
}

impl Log {
    fn after(checkpoint: &str, connection: &Connection) -> Result<Self, rusqlite::Error> {
        connection.query_row(checkpoint, [], |row| {
            Ok(Self { is_busy: row.get(0)?, pages: row.get(1)?, copied: row.get(2)? })
        })
    }

    /// One checkpoint at a time: nobody waits for the lock, and whoever has not got it does not look.
    const fn is_with_another(&self) -> bool {
        self.is_busy && self.pages < 0
    }
}

#[cfg(test)]
mod tests;
