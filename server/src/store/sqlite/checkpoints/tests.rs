use std::sync::Barrier;

use super::super::writer;
use super::*;

/// Copies whatever there is, as often as it can.
const EAGER: Pace = Pace { from: 1, step: 1, pause: Duration::from_millis(1) };

const PAGE: u64 = 4096;

fn new(folder: &Path) -> (PathBuf, Connection) {
    let path = folder.join("db");
    std::fs::write(&path, b"").unwrap();
    let writer = writer(&path).unwrap();
    writer.execute_batch("CREATE TABLE things (number INTEGER PRIMARY KEY, thing BLOB NOT NULL)").unwrap();
    (path, writer)
}

/// One commit of `pages` new pages, or a few more.
fn put(writer: &Connection, pages: u32) {
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    for _ in 0..pages {
        writer.execute("INSERT INTO things (thing) VALUES (zeroblob(3000))", ()).unwrap();
    }
    writer.execute_batch("COMMIT").unwrap();
}

fn log(connection: &Connection) -> Log {
    Log::after("PRAGMA wal_checkpoint(NOOP)", connection).unwrap()
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path.with_file_name("db-wal")).unwrap().len()
}

fn until(done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never happens");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn sound(connection: &Connection) -> i64 {
    let fine: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(fine, "ok");
    connection.query_row("SELECT count(*) FROM things", [], |row| row.get(0)).unwrap()
}

#[test]
fn the_log_is_copied_beside_the_writer_once_it_is_worth_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, writer) = new(folder.path());
    let checkpoints = Checkpoints::of(&path);
    put(&writer, 1500);
    checkpoints.somebody_writes();
    std::thread::sleep(PACE.pause * 10);
    assert_eq!(log(&writer).copied, 0);
    put(&writer, 1500);
    assert_eq!(log(&writer).copied, 0, "the writer does not");
    checkpoints.somebody_writes();
    until(|| log(&writer).copied > 3000);
}

#[test]
fn the_log_stays_short_however_long_somebody_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, writer) = new(folder.path());
    let checkpoints = Checkpoints::of(&path);
    let (mut most, mut left) = (0, Vec::new());
    let mut before = log(&writer);
    for _ in 0..300 {
        put(&writer, 80);
        checkpoints.somebody_writes();
        let after = log(&writer);
        if after.pages < before.pages {
            left.push(before.pages - before.copied);
        }
        most = most.max(after.pages);
        before = after;
    }
    // The writer alone would have had all to do.
    let least = left.iter().min().copied();
    assert!(least.is_some_and(|least| least < i64::from(FINISH_FROM) / 4), "{left:?}");
    assert!(left.len() >= 2 && most < i64::from(FINISH_FROM) * 3, "{most} pages, begun anew after {left:?}");
    assert!(length(&path) < u64::from(FINISH_FROM) * 3 * PAGE);
    drop(checkpoints);
    assert_eq!(sound(&writer), 300 * 80);
}

#[test]
fn while_nobody_writes_nobody_looks() {
    let folder = tempfile::tempdir().unwrap();
    let (path, writer) = new(folder.path());
    let checkpoints = Checkpoints::at_pace(&path, EAGER);
    assert!(checkpoints.thread.get().is_none(), "not even a thread");
    checkpoints.somebody_writes();
    put(&writer, 10);
    checkpoints.somebody_writes();
    until(|| log(&writer).copied == log(&writer).pages);
    until(|| !checkpoints.told.state().written);
    std::thread::sleep(EAGER.pause * 200);
    // Nobody says so: whoever looked nonetheless would copy it.
    put(&writer, 10);
    std::thread::sleep(EAGER.pause * 200);
    assert!(log(&writer).copied < log(&writer).pages);
    checkpoints.somebody_writes();
    until(|| log(&writer).copied == log(&writer).pages);
}

#[test]
fn what_is_deleted_is_gone_from_both_files_while_the_thread_copies() {
    const SECRET: &[u8] = b"the telephone number of a person who asked to be forgotten";
    let folder = tempfile::tempdir().unwrap();
    let (path, writer) = new(folder.path());
    writer.pragma_update(None, "secure_delete", true).unwrap();
    let checkpoints = Checkpoints::at_pace(&path, EAGER);
    put(&writer, 1);
    checkpoints.somebody_writes();
    until(|| log(&writer).copied == log(&writer).pages);
    let has = |path: &Path| std::fs::read(path).unwrap().windows(SECRET.len()).any(|there| there == SECRET);
    let beside = path.with_file_name("db-wal");
    for _ in 0..60 {
        writer.execute("INSERT INTO things (thing) VALUES (?1)", [SECRET]).unwrap();
        checkpoints.somebody_writes();
        put(&writer, 5);
        assert!(has(&path) || has(&beside));
        writer.execute("DELETE FROM things WHERE thing = ?1", [SECRET]).unwrap();
        checkpoints.somebody_writes();
        assert!(cut_off(&writer).unwrap(), "nobody reads");
        assert_eq!(length(&path), 0);
        assert!(!has(&path));
    }
}

#[test]
fn cutting_off_waits_for_a_checkpoint_and_not_for_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let (path, writer) = new(folder.path());
    writer.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    // It takes as long as the machine likes: until one was met on its way.
    let met = (0..30).any(|_| {
        put(&writer, 10_000);
        let ready = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let beside = open(&path).unwrap();
                log(&beside);
                ready.wait();
                Log::after("PRAGMA wal_checkpoint(PASSIVE)", &beside).unwrap();
            });
            ready.wait();
            std::thread::sleep(Duration::from_millis(2));
            let log = Log::after("PRAGMA wal_checkpoint(TRUNCATE)", &writer).unwrap();
            assert!(cut_off(&writer).unwrap());
            assert_eq!(length(&path), 0);
            log.is_with_another()
        })
    });
    assert!(met);
    writer.busy_timeout(Duration::ZERO).unwrap();
    put(&writer, 1);
    let beside = open(&path).unwrap();
    beside.execute_batch("BEGIN; SELECT count(*) FROM things").unwrap();
    put(&writer, 1);
    let begun = Instant::now();
    assert!(!cut_off(&writer).unwrap());
    assert!(begun.elapsed() < PATIENCE / 2);
    beside.execute_batch("ROLLBACK").unwrap();
    assert!(cut_off(&writer).unwrap());
}

#[test]
fn a_failure_hurts_nobody_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, writer) = new(folder.path());
    // Nothing is there yet.
    let elsewhere = folder.path().join("elsewhere");
    let checkpoints = Checkpoints::at_pace(&elsewhere, EAGER);
    for _ in 0..20 {
        put(&writer, 1);
        checkpoints.somebody_writes();
        std::thread::sleep(EAGER.pause * 3);
    }
    assert_eq!(log(&writer).copied, 0);
    std::os::unix::fs::symlink(&path, &elsewhere).unwrap();
    checkpoints.somebody_writes();
    until(|| {
        checkpoints.somebody_writes();
        log(&writer).copied == log(&writer).pages
    });
    assert_eq!(sound(&writer), 20);
}

#[test]
fn writers_and_threads_of_several_servers_lose_nothing_on_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, first) = new(folder.path());
    let second = writer(&path).unwrap();
    std::thread::scope(|scope| {
        for writer in [first, second] {
            let path = &path;
            scope.spawn(move || {
                // So that the log is begun anew all the time.
                writer.pragma_update(None, "wal_autocheckpoint", 20).unwrap();
                let checkpoints = Checkpoints::at_pace(path, EAGER);
                for _ in 0..200 {
                    put(&writer, 3);
                    checkpoints.somebody_writes();
                }
            });
        }
    });
    assert_eq!(sound(&writer(&path).unwrap()), 2 * 200 * 3);
}
