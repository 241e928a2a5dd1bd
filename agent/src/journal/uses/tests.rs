use std::path::Path;

use super::*;
use crate::journal::{Report, Which};
use crate::offline::scene::{NOW, scene};

fn open(path: &Path) -> Journal {
    Journal::open(path, None).unwrap()
}

fn roster() -> Digest {
    Digest::of(&scene().signed(|_| {}).roster.0)
}

fn use_one(journal: &Journal, roster: Digest, account: &str, most: u32) -> Result<Counted, UseError> {
    let account = account.parse().unwrap();
    let statement = scene().statement_digest();
    let new = NewUse { roster, account: &account, statement, most, at: NOW };
    journal.use_offline(new, |number| format!("use {number}"), |number| scene().offline_use(number))
}

#[test]
fn uses_are_counted_for_each_account_and_roster_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let (one, other) = (roster(), Digest::of(b"another"));
    let ana = "ana".parse().unwrap();
    {
        let journal = open(&path);
        assert_eq!(journal.uses_left(one, &ana, 3), 3);
        let counted: Vec<u32> = (0..2).map(|_| use_one(&journal, one, "ana", 3).unwrap().number()).collect();
        assert_eq!((counted, journal.uses_left(one, &ana, 3)), (vec![1, 2], 1));
        // As a killed process leaves it.
        std::mem::forget(journal);
    }
    let journal = open(&path);
    assert_eq!(use_one(&journal, one, "ana", 3).unwrap().number(), 3);
    assert!(matches!(use_one(&journal, one, "ana", 3), Err(UseError::Spent)));
    assert_eq!(journal.uses_left(one, &ana, 3), 0);
    assert_eq!(use_one(&journal, one, "ben", 3).unwrap().number(), 1, "his own");
    assert_eq!(use_one(&journal, other, "ana", 3).unwrap().number(), 1, "a new roster");
    assert!(matches!(use_one(&journal, Digest::of(b"none"), "ana", 0), Err(UseError::Spent)));
    assert_eq!((journal.verify().unwrap(), journal.unsent().unwrap()), (5, 5), "each is in both or in none");
    assert_eq!(journal.last_use(), Some(NOW));
}

#[test]
fn a_hundred_at_once_use_what_is_there_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder.path().join("journal.sqlite"));
    let roster = roster();
    let granted: usize = std::thread::scope(|scope| {
        let one = || scope.spawn(|| (0..25).filter(|_| use_one(&journal, roster, "ana", 20).is_ok()).count());
        let threads: Vec<_> = (0..4).map(|_| one()).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(granted, 20);
}

#[test]
fn a_use_that_cannot_be_written_is_not_granted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let journal = open(&path);
    // A disk that is full: the file may not grow any more.
    let pages: i64 = journal.lock().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    journal.lock().execute_batch(&format!("PRAGMA max_page_count = {pages}")).unwrap();
    let long = || "x".repeat(100_000);
    let account = "ana".parse().unwrap();
    let statement = scene().statement_digest();
    let new = NewUse { roster: roster(), account: &account, statement, most: 3, at: NOW };
    let refused = journal.use_offline(new, |_| long(), |number| scene().offline_use(number));
    assert!(
        matches!(&refused, Err(UseError::NotKept(why)) if why.to_string().contains("full")),
        "{refused:?}"
    );
    journal.lock().execute_batch("PRAGMA max_page_count = 1000000").unwrap();
    assert_eq!(journal.uses_left(roster(), &account, 3), 3, "nothing was counted");
    assert_eq!((journal.verify().unwrap(), journal.unsent().unwrap()), (0, 0));
    assert_eq!(use_one(&journal, roster(), "ana", 3).unwrap().index(), 1);
}

#[test]
fn a_journal_in_memory_or_with_a_changed_entry_grants_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    std::fs::create_dir(&path).unwrap();
    let journal = Journal::open_anyway(&path, NOW, None).unwrap();
    assert!(matches!(use_one(&journal, roster(), "ana", 3), Err(UseError::NotKept(_))));
    assert_eq!(journal.uses_left(roster(), &"ana".parse().unwrap(), 3), 0);

    let journal = open(&folder.path().join("other.sqlite"));
    let _ = use_one(&journal, roster(), "ana", 3).unwrap();
    journal.lock().execute("UPDATE journal SET entry = '9'", []).unwrap();
    journal.verify().unwrap_err();
    assert!(matches!(use_one(&journal, roster(), "ana", 3), Err(UseError::Broken)));
    assert_eq!(journal.uses_left(roster(), &"ana".parse().unwrap(), 3), 0);
}

#[test]
fn a_journal_that_could_not_be_read_for_a_moment_is_not_taken_for_a_changed_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let journal = open(&path);
    let _ = use_one(&journal, roster(), "ana", 3).unwrap();
    // Another program has it for itself.
    journal.lock().execute_batch("PRAGMA journal_mode = DELETE; PRAGMA busy_timeout = 0").unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    journal.verify().unwrap_err();
    assert!(!journal.is_broken());
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(use_one(&journal, roster(), "ana", 3).unwrap().number(), 2);

    // What was changed is, until it is as it was again; a moment's failure to read it does not make it good.
    let entry: String =
        journal.lock().query_row("SELECT entry FROM journal WHERE seq = 1", [], |row| row.get(0)).unwrap();
    let set = |entry: &str| journal.lock().execute("UPDATE journal SET entry = ?1 WHERE seq = 1", [entry]);
    set("9").unwrap();
    journal.verify().unwrap_err();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    journal.verify().unwrap_err();
    other.execute_batch("ROLLBACK").unwrap();
    assert!(journal.is_broken());
    set(&entry).unwrap();
    assert_eq!((journal.verify().unwrap(), journal.is_broken()), (2, false));
    assert_eq!(use_one(&journal, roster(), "ana", 3).unwrap().number(), 3);
}

#[test]
fn a_roster_whose_count_was_lost_grants_nothing_and_the_next_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let _ = use_one(&open(&path), roster(), "ana", 3).unwrap();
    // Taken away, or damaged and set aside: the journal that counted is gone, and the roster is there still.
    for spoil in [(|path: &Path| std::fs::remove_file(path).unwrap()) as fn(&Path), |path| {
        std::fs::write(path, "no journal ".repeat(500)).unwrap();
    }] {
        for more in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{more}", path.display()));
        }
        spoil(&path);
        let journal = Journal::open_anyway(&path, NOW, Some(roster())).unwrap();
        assert!(matches!(use_one(&journal, roster(), "ana", 3), Err(UseError::CountLost)));
        assert_eq!(journal.uses_left(roster(), &"ana".parse().unwrap(), 3), 0);
        drop(journal);
        let journal = Journal::open(&path, Some(roster())).unwrap();
        assert!(matches!(use_one(&journal, roster(), "ana", 3), Err(UseError::CountLost)), "for good");
        assert_eq!(use_one(&journal, Digest::of(b"next"), "ana", 3).unwrap().number(), 1);
    }
}

#[test]
fn a_use_leaves_whole_and_stays_if_it_is_disputed_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder.path().join("journal.sqlite"));
    for _ in 0..3 {
        let _ = use_one(&journal, roster(), "ana", 3).unwrap();
    }
    let rosters = || {
        journal.lock().query_row("SELECT count(*) FROM used_roster", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(rosters(), 1, "kept once for all");
    let first = journal.oldest_unsent(Which::All).unwrap().unwrap();
    assert_eq!(first.report, Report::OfflineUse(Box::new(scene().offline_use(1))));
    journal.confirm(first.id).unwrap();
    journal.dispute(journal.oldest_unsent(Which::All).unwrap().unwrap().id, "the key was revoked").unwrap();
    journal.park(journal.oldest_unsent(Which::All).unwrap().unwrap().id).unwrap();
    assert!(journal.oldest_unsent(Which::All).unwrap().is_none());
    let told: Vec<Option<String>> =
        journal.disputed(10).unwrap().into_iter().map(|disputed| disputed.why).collect();
    assert_eq!(told, [None, Some("the key was revoked".to_owned())]);
    assert_eq!((journal.disputed_count().unwrap(), journal.unsent().unwrap(), rosters()), (2, 0, 1));
}

#[test]
fn no_flood_of_events_pushes_a_use_out_of_the_outbox() {
    let room = crate::journal::Room { entries: 1000, unsent: 10 };
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    let journal = Journal::with(connection, room, None).unwrap();
    let _ = use_one(&journal, roster(), "ana", 3).unwrap();
    for _ in 0..50 {
        let event = countersign_protocol::message::HostEvent {
            event: countersign_protocol::message::HostEventKind::WrongPin,
            at: NOW,
            correlation: "7K3M-Q2ZD".parse().unwrap(),
            login: None,
            account: None,
            service: None,
            card: None,
            told: "wrong".to_owned(),
        };
        journal.report(&event).unwrap();
    }
    assert_eq!(journal.unsent().unwrap(), 11);
    assert!(matches!(journal.oldest_unsent(Which::All).unwrap().unwrap().report, Report::OfflineUse(_)));
}
