use std::sync::{Barrier, mpsc};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::super::sqlite::{SqliteLine, SqliteTransaction};
use super::*;

/// How long another process is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

static NEVER: CrashPoint = CrashPoint::never();

fn writer(folder: &std::path::Path) -> Writer<SqliteLine> {
    let connection = Connection::open(folder.join("db")).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    let tables = "CREATE TABLE numbers (number INTEGER PRIMARY KEY);
                  CREATE TABLE others (number INTEGER REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)";
    connection.execute_batch(tables).unwrap();
    Writer::new(SqliteLine::new(&folder.join("db"), connection))
}

fn begin(writer: &Writer<SqliteLine>) -> Member<'_, SqliteLine> {
    writer.begin(&NEVER, ()).unwrap()
}

fn put(turn: &Member<'_, SqliteLine>, number: u64) {
    turn.line().connection.execute("INSERT INTO numbers VALUES (?1)", [number.cast_signed()]).unwrap();
}

fn numbers(folder: &std::path::Path) -> Vec<i64> {
    let connection = Connection::open(folder.join("db")).unwrap();
    let mut statement = connection.prepare("SELECT number FROM numbers ORDER BY number").unwrap();
    statement.query_map((), |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Two in one group: the first keeps 1, and what the second does after putting 2 is `second`'s.
fn two(
    writer: &Writer<SqliteLine>,
    second: impl FnOnce(Member<'_, SqliteLine>) + Send,
) -> Result<(), StoreError> {
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
        turn.line().connection.execute("INSERT INTO others VALUES (77)", ()).unwrap();
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
            turn.line().connection.execute("ROLLBACK", ()).unwrap();
            assert!(!turn.line().is_open());
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
    writer.lock().line.connection.busy_timeout(PATIENCE).unwrap();
    let left = || std::fs::metadata(folder.path().join("db-wal")).unwrap().len();
    let keep = |number, wiping| {
        let turn = begin(&writer);
        put(&turn, number);
        if wiping {
            turn.line().wiping.set(true);
        }
        turn.keep(&NEVER).unwrap();
    };
    keep(1, false);
    let reader = Connection::open(folder.path().join("db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM numbers").unwrap();
    let begun = Instant::now();
    keep(2, true);
    keep(3, false);
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    assert!(left() > 0 && writer.lock().line.wiping.get(), "the reader needs it still");
    reader.execute_batch("ROLLBACK").unwrap();
    keep(4, false);
    assert!(left() == 0 && !writer.lock().line.wiping.get());
}

#[test]
fn those_who_waited_while_nobody_could_begin_are_told_at_once_and_the_next_tries_anew() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    let wait = Duration::from_millis(500);
    writer.lock().line.connection.busy_timeout(wait).unwrap();
    let other = Connection::open(folder.path().join("db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| writer.begin(&NEVER, ()).is_err())).collect();
        assert!(all.into_iter().all(|one| one.join().unwrap()));
    });
    assert!(begun.elapsed() < wait * 3, "not one after the other: {:?}", begun.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
    let next = begin(&writer);
    put(&next, 1);
    next.keep(&NEVER).unwrap();
    assert_eq!(numbers(folder.path()), [1]);
}

#[test]
fn a_turn_that_is_neither_kept_nor_given_up_ends_all_who_share_its_commit() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    assert!(two(&writer, |turn| drop(turn)).is_err());
    assert!(numbers(folder.path()).is_empty());
    begin(&writer).keep(&NEVER).unwrap();
}

#[test]
fn a_commit_is_put_off_for_a_while_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(folder.path());
    // Somebody waits all the time.
    writer.waiting.fetch_add(1, Ordering::SeqCst);
    let turn = begin(&writer);
    put(&turn, 1);
    std::thread::sleep(LONGEST);
    turn.keep(&NEVER).unwrap();
    assert_eq!(numbers(folder.path()), [1]);
}
