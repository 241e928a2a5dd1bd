//! One commit for the messages that come together.
//!
//! A commit waits for the disk, and nobody else may write meanwhile. So whoever is done while others wait for their turn leaves
//! the commit to them: the next one works in a savepoint of the same transaction, and the last one, or one of many, commits for
//! all. Each waits for that commit before it says that it is done. If it fails, all of them failed; one that gives up by itself
//! takes back its own savepoint and nothing else.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_server_core::store::StoreError;
use rusqlite::Connection;

use super::super::faults::CrashPoint;
use super::checkpoints::cut_off;
use super::{PATIENCE, control, unavailable};

/// Most messages of one commit: what a crash could take is small, and nobody waits for a crowd.
const MOST: usize = 64;

/// The one connection that writes.
pub(super) struct Writer {
    /// Who waits for it. Counted before they wait: whoever leaves a commit to others knows that there are some.
    waiting: AtomicUsize,
    turn: Mutex<Open>,
}

/// It, and what is open on it.
pub(super) struct Open {
    pub(super) connection: Connection,
    group: Option<Arc<Group>>,
    members: usize,
    /// Somebody in the group has what was deleted overwritten.
    wiping: bool,
}

/// Those whose writes one commit makes durable.
#[derive(Default)]
pub(super) struct Group {
    outcome: Mutex<Option<Result<(), StoreError>>>,
    known: Condvar,
}

/// A turn to write: the first of its group, or in a savepoint.
pub(super) struct Member<'a> {
    writer: &'a Writer,
    open: MutexGuard<'a, Open>,
    first: bool,
}

impl Writer {
    pub(super) const fn new(connection: Connection) -> Self {
        let open = Open { connection, group: None, members: 0, wiping: false };
        Self { waiting: AtomicUsize::new(0), turn: Mutex::new(open) }
    }

    /// Waits for a turn. `anew` makes another connection, where a transaction that nobody knows cannot be ended.
    pub(super) fn begin(
        &self,
        crash: &CrashPoint,
        anew: impl FnOnce() -> Result<Connection, rusqlite::Error>,
    ) -> Result<Member<'_>, StoreError> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut open = self.lock();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        if open.group.is_some() {
            let turn = Member { writer: self, open, first: false };
            return match control(&turn.open.connection, "SAVEPOINT member") {
                Ok(()) => Ok(turn),
                Err(error) => {
                    turn.leave(crash);
                    Err(error)
                }
            };
        }
        // A rollback that failed left its transaction open: nothing of it may get into the next one.
        if !open.connection.is_autocommit() && control(&open.connection, "ROLLBACK").is_err() {
            open.connection = anew().map_err(unavailable)?;
        }
        control(&open.connection, "BEGIN IMMEDIATE")?;
        (open.group, open.members) = (Some(Arc::default()), 0);
        Ok(Member { writer: self, open, first: true })
    }

    pub(super) fn into_connection(self) -> Connection {
        self.turn.into_inner().unwrap_or_else(PoisonError::into_inner).connection
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Open> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member<'_> {
    pub(super) fn connection(&self) -> &Connection {
        &self.open.connection
    }

    /// Whether the transaction is still there. On a full or broken disk SQLite gives it up by itself, and what is written
    /// after that would be committed by itself.
    pub(super) fn is_open(&self) -> bool {
        !self.open.connection.is_autocommit()
    }

    /// What is deleted is not to lie in the log of writes either.
    pub(super) fn wiping(mut self) -> Self {
        self.open.wiping = true;
        self
    }

    /// Keeps what was written, and waits until it is durable.
    pub(super) fn keep(self, crash: &CrashPoint) -> Result<(), StoreError> {
        if !self.first
            && self.is_open()
            && let Err(error) = control(&self.open.connection, "RELEASE member")
        {
            self.give_up(crash);
            return Err(error);
        }
        let group = self.open.group.clone();
        self.leave(crash);
        group.map_or_else(|| Err(gone()), |group| group.outcome())
    }

    /// Takes back what was written, and nothing of those before it.
    pub(super) fn give_up(mut self, crash: &CrashPoint) {
        if self.first {
            // SQLite may have rolled back by itself; then this fails and nothing is lost.
            let _already_gone = control(&self.open.connection, "ROLLBACK");
            self.open.end(Err(gone()));
            return;
        }
        if self.is_open() {
            let back = control(&self.open.connection, "ROLLBACK TO member")
                .and_then(|()| control(&self.open.connection, "RELEASE member"));
            if let Err(error) = back {
                let _already_gone = control(&self.open.connection, "ROLLBACK");
                self.open.end(Err(error));
                return;
            }
        }
        self.leave(crash);
    }

    /// Commits, unless somebody waits who will. Who gave up counts too: those who kept something do not wait for many of them.
    fn leave(mut self, crash: &CrashPoint) {
        self.open.members += 1;
        if !self.is_open() {
            self.open.end(Err(gone()));
        } else if self.writer.waiting.load(Ordering::SeqCst) == 0 || self.open.members >= MOST {
            let committed = control(&self.open.connection, "COMMIT");
            let is_kept = committed.is_ok();
            if is_kept {
                crash.wrote();
            } else {
                // What is left of it is ended at the next turn, if it cannot be now.
                let _already_gone = control(&self.open.connection, "ROLLBACK");
            }
            self.open.end(committed);
            if is_kept {
                self.open.wipe();
            }
        }
    }
}

impl Open {
    /// What was deleted lies in the log of writes too, until it is written into the file and cut off. Whoever reads right now puts
    /// that off to the next commit: nobody waits for them.
    fn wipe(&mut self) {
        if !self.wiping {
            return;
        }
        let cut = self.connection.busy_timeout(Duration::ZERO).and_then(|()| cut_off(&self.connection));
        let _as_long = self.connection.busy_timeout(PATIENCE);
        if cut == Ok(true) {
            // Where that fails, more is overwritten than must be.
            self.wiping = self.connection.pragma_update(None, "secure_delete", "FAST").is_err();
        }
    }

    /// Tells everybody who waits what became of the group.
    fn end(&mut self, outcome: Result<(), StoreError>) {
        if let Some(group) = self.group.take() {
            *group.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            group.known.notify_all();
        }
    }
}

impl Group {
    fn outcome(&self) -> Result<(), StoreError> {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(outcome) = &*outcome {
                return outcome.clone();
            }
            outcome = self.known.wait(outcome).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable("the transaction was given up".into())
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, mpsc};
    use std::time::Instant;

    use super::super::transaction::SqliteTransaction;
    use super::*;

    static NEVER: CrashPoint = CrashPoint::never();

    fn writer(folder: &std::path::Path) -> Writer {
        let connection = Connection::open(folder.join("db")).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        let tables = "CREATE TABLE numbers (number INTEGER PRIMARY KEY);
                      CREATE TABLE others (number INTEGER REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)";
        connection.execute_batch(tables).unwrap();
        Writer::new(connection)
    }

    fn begin(writer: &Writer) -> Member<'_> {
        writer.begin(&NEVER, Connection::open_in_memory).unwrap()
    }

    fn put(turn: &Member<'_>, number: u64) {
        turn.connection().execute("INSERT INTO numbers VALUES (?1)", [number.cast_signed()]).unwrap();
    }

    fn numbers(folder: &std::path::Path) -> Vec<i64> {
        let connection = Connection::open(folder.join("db")).unwrap();
        let mut statement = connection.prepare("SELECT number FROM numbers ORDER BY number").unwrap();
        statement.query_map((), |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// Two in one group: the first keeps 1, and what the second does after putting 2 is `second`'s.
    fn two(writer: &Writer, second: impl FnOnce(Member<'_>) + Send) -> Result<(), StoreError> {
        std::thread::scope(|scope| {
            let first = begin(writer);
            put(&first, 1);
            let other = scope.spawn(|| {
                let turn = begin(writer);
                assert!(!turn.first, "it is in the group of the first");
                put(&turn, 2);
                second(turn);
            });
            while writer.waiting.load(Ordering::SeqCst) == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let kept = first.keep(&NEVER);
            other.join().unwrap();
            kept
        })
    }

    #[test]
    fn one_commit_makes_both_durable_and_neither_is_told_before() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        let kept = two(&writer, |turn| {
            std::thread::sleep(Duration::from_millis(50));
            assert!(numbers(folder.path()).is_empty(), "the first waits for the second");
            turn.keep(&NEVER).unwrap();
            assert_eq!(numbers(folder.path()), [1, 2]);
        });
        kept.unwrap();
    }

    #[test]
    fn one_that_gives_up_takes_nothing_from_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        two(&writer, |turn| turn.give_up(&NEVER)).unwrap();
        assert_eq!(numbers(folder.path()), [1]);
        let first = begin(&writer);
        put(&first, 3);
        first.give_up(&NEVER);
        let next = begin(&writer);
        put(&next, 4);
        next.keep(&NEVER).unwrap();
        assert_eq!(numbers(folder.path()), [1, 4]);
    }

    #[test]
    fn a_commit_that_fails_fails_for_all_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        let kept = two(&writer, |turn| {
            turn.connection().execute("INSERT INTO others VALUES (77)", ()).unwrap();
            assert!(turn.keep(&NEVER).is_err());
        });
        assert!(kept.is_err());
        assert!(numbers(folder.path()).is_empty());
        let next = begin(&writer);
        put(&next, 5);
        next.keep(&NEVER).unwrap();
        assert_eq!(numbers(folder.path()), [5]);
    }

    #[test]
    fn a_transaction_that_sqlite_gave_up_is_told_to_all_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        for keep in [true, false] {
            let kept = two(&writer, |turn| {
                // As on a disk that is full.
                turn.connection().execute("ROLLBACK", ()).unwrap();
                assert!(!turn.is_open());
                match keep {
                    true => assert!(turn.keep(&NEVER).is_err()),
                    false => turn.give_up(&NEVER),
                }
            });
            assert!(kept.is_err());
            assert!(numbers(folder.path()).is_empty());
        }
    }

    #[test]
    fn many_at_once_lose_nothing_that_was_kept_and_keep_nothing_that_was_given_up() {
        const EACH: u64 = 100;
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        let begun = Barrier::new(8);
        std::thread::scope(|scope| {
            // What anyone is told to be durable, another process sees at once.
            let workers: Vec<_> = (0..8_u64)
                .map(|worker| {
                    let (writer, begun, folder) = (&writer, &begun, folder.path());
                    scope.spawn(move || {
                        let beside = Connection::open(folder.join("db")).unwrap();
                        begun.wait();
                        for number in 0..EACH {
                            let number = worker * EACH + number;
                            let turn = begin(writer);
                            put(&turn, number);
                            if number.is_multiple_of(3) {
                                turn.give_up(&NEVER);
                            } else {
                                turn.keep(&NEVER).unwrap();
                            }
                            let seen: i64 = beside
                                .query_row(
                                    "SELECT count(*) FROM numbers WHERE number = ?1",
                                    [number.cast_signed()],
                                    |row| row.get(0),
                                )
                                .unwrap();
                            assert_eq!(seen, i64::from(!number.is_multiple_of(3)), "{number}");
                        }
                    })
                })
                .collect();
            for worker in workers {
                worker.join().unwrap();
            }
        });
        let kept: Vec<i64> = (0..8 * EACH.cast_signed()).filter(|number| number % 3 != 0).collect();
        assert_eq!(numbers(folder.path()), kept);
    }

    #[test]
    fn one_that_panics_takes_nothing_from_the_others_and_the_next_can_write() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let turn = begin(&writer);
            put(&turn, 1);
            let _transaction = SqliteTransaction::of(turn, &NEVER);
            panic!("a bug");
        }));
        assert!(panicked.is_err());
        let next = begin(&writer);
        put(&next, 2);
        next.keep(&NEVER).unwrap();
        assert_eq!(numbers(folder.path()), [2]);
    }

    #[test]
    fn those_who_give_up_do_not_put_a_commit_off() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        // Somebody waits all the time.
        writer.waiting.fetch_add(1, Ordering::SeqCst);
        std::thread::scope(|scope| {
            let (begun, has_begun) = mpsc::channel();
            let (writer, folder) = (&writer, folder.path());
            let first = scope.spawn(move || {
                let first = begin(writer);
                put(&first, 1);
                begun.send(()).unwrap();
                first.keep(&NEVER).unwrap();
            });
            has_begun.recv().unwrap();
            for _ in 1..MOST {
                assert!(numbers(folder).is_empty());
                begin(writer).give_up(&NEVER);
            }
            assert_eq!(numbers(folder), [1]);
            first.join().unwrap();
        });
    }

    #[test]
    fn what_is_wiped_while_somebody_reads_keeps_nobody_waiting_and_is_wiped_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path());
        writer.lock().connection.busy_timeout(PATIENCE).unwrap();
        let left = || std::fs::metadata(folder.path().join("db-wal")).unwrap().len();
        let keep = |number, wiping| {
            let turn = begin(&writer);
            put(&turn, number);
            let turn = if wiping { turn.wiping() } else { turn };
            turn.keep(&NEVER).unwrap();
        };
        keep(1, false);
        let reader = Connection::open(folder.path().join("db")).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM numbers").unwrap();
        let begun = Instant::now();
        keep(2, true);
        keep(3, false);
        assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
        assert!(left() > 0 && writer.lock().wiping, "the reader needs it still");
        reader.execute_batch("ROLLBACK").unwrap();
        keep(4, false);
        assert!(left() == 0 && !writer.lock().wiping);
    }
}
