use countersign_protocol::ids::CorrelationId;
use countersign_protocol::message::HostEventKind;
use countersign_protocol::random::SystemRandom;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

fn event(event: HostEventKind, told: &str) -> HostEvent {
    HostEvent {
        event,
        at: NOW,
        correlation: CorrelationId::new(&SystemRandom).unwrap(),
        login: None,
        account: None,
        service: None,
        card: None,
        told: told.to_owned(),
    }
}

fn journal(room: Room) -> Journal {
    Journal::with(Connection::open_in_memory().unwrap(), room, None).unwrap()
}

#[test]
fn a_changed_entry_breaks_the_chain() {
    let journal = journal(ON_DISK);
    for n in 0..3 {
        journal.write(NOW, &n).unwrap();
    }
    assert_eq!(journal.verify().unwrap(), 3);
    journal.lock().execute("UPDATE journal SET entry = '9' WHERE seq = 2", []).unwrap();
    assert!(journal.verify().unwrap_err().to_string().contains("entry 2"));
    journal.lock().execute("DELETE FROM journal WHERE seq = 1", []).unwrap();
    assert!(journal.verify().unwrap_err().to_string().contains("entry 1"));
}

#[test]
fn events_leave_in_order_and_only_when_confirmed() {
    let journal = journal(ON_DISK);
    journal.report(&event(HostEventKind::WrongPin, "one")).unwrap();
    journal.report(&event(HostEventKind::WrongPin, "two")).unwrap();
    assert_eq!(journal.unsent().unwrap(), 2);
    let first = journal.oldest_unsent(Which::All).unwrap().unwrap();
    assert_eq!(first.report.told(), "one");
    journal.confirm(first.id).unwrap();
    assert_eq!(journal.oldest_unsent(Which::All).unwrap().unwrap().report.told(), "two");
    assert_eq!(journal.verify().unwrap(), 2, "the chain keeps both");
}

#[test]
fn old_entries_go_and_the_chain_still_proves_the_rest() {
    let journal = journal(Room { entries: 200, unsent: 10 });
    for n in 0..1000 {
        journal.write(NOW, &n).unwrap();
    }
    let kept = journal.verify().unwrap();
    assert!((200..=202).contains(&kept), "{kept}");
    journal.lock().execute("UPDATE journal SET entry = '9' WHERE seq = 900", []).unwrap();
    assert!(journal.verify().unwrap_err().to_string().contains("entry 900"));
    journal.lock().execute("DELETE FROM journal WHERE seq <= 850", []).unwrap();
    let told = journal.verify().unwrap_err().to_string();
    assert!(told.contains("was changed or removed") && !told.contains("900"), "{told}");
}

#[test]
fn a_login_writes_while_the_chain_is_checked() {
    let journal = journal(Room { entries: 2000, unsent: 10 });
    for n in 0..1500 {
        journal.write(NOW, &n).unwrap();
    }
    let (place, count) = journal.verify_page(None).unwrap().unwrap();
    assert_eq!(count, 1000, "one page");
    assert!(journal.connection.try_lock().is_ok());
    // More than is kept: what was checked is forgotten, and the check goes on behind the anchor.
    for n in 0..3000 {
        journal.write(NOW, &n).unwrap();
    }
    let (_, count) = journal.verify_page(Some(place)).unwrap().unwrap();
    assert_eq!(count, 1000);
    assert!(journal.verify().unwrap() <= 2020);
}

#[test]
fn a_flood_pushes_no_wrong_pin_out_of_the_outbox() {
    use HostEventKind::{CardBlocked, CardPulled, NoAnswer, RemoteSession, WrongPin};
    let journal = journal(Room { entries: 1000, unsent: 20 });
    for kind in [WrongPin, CardBlocked, CardPulled] {
        journal.report(&event(kind, "telling")).unwrap();
    }
    for n in 0..200 {
        let kind = if n % 2 == 0 { RemoteSession } else { NoAnswer };
        journal.report(&event(kind, "flood")).unwrap();
    }
    journal.report(&event(WrongPin, "telling")).unwrap();
    assert_eq!(journal.unsent().unwrap(), 20);
    let mut telling = 0;
    while let Some(unsent) = journal.oldest_unsent(Which::All).unwrap() {
        telling += u32::from(unsent.report.told() == "telling");
        journal.confirm(unsent.id).unwrap();
    }
    assert_eq!(telling, 4);
}

#[test]
fn a_journal_of_the_first_version_is_taken_over() {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch("CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, sealed TEXT) STRICT")
        .unwrap();
    let text = serde_json::to_string(&event(HostEventKind::WrongPin, "old")).unwrap();
    connection.execute("INSERT INTO outbox (event) VALUES (?1)", [text]).unwrap();
    let journal = Journal::with(connection, ON_DISK, None).unwrap();
    journal.report(&event(HostEventKind::WrongPin, "new")).unwrap();
    assert_eq!(journal.oldest_unsent(Which::All).unwrap().unwrap().report.told(), "old");
    assert_eq!(journal.unsent().unwrap(), 2);
}

#[test]
fn a_sentence_is_cut_to_what_the_server_takes() {
    let journal = journal(ON_DISK);
    let long = format!("x{}\u{1b}[2J\n", "\u{e4}".repeat(400));
    for told in [long.as_str(), "a\nb\u{7f}c", "plain"] {
        journal.report(&event(HostEventKind::NoAnswer, told)).unwrap();
    }
    let mut told = Vec::new();
    while let Some(unsent) = journal.oldest_unsent(Which::All).unwrap() {
        assert!(unsent.report.told().len() <= 500 && !unsent.report.told().chars().any(char::is_control));
        told.push(unsent.report.told());
        journal.confirm(unsent.id).unwrap();
    }
    assert_eq!(told[0], format!("x{}", "\u{e4}".repeat(249)), "499 bytes: no half character");
    assert_eq!(told[1..], ["a b c", "plain"]);
}

#[test]
fn a_damaged_file_is_set_aside_and_the_new_chain_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    std::fs::write(&path, "this is no journal, and has never been one ".repeat(100)).unwrap();
    let journal = Journal::open_anyway(&path, NOW, None).unwrap();
    assert!(!journal.is_in_memory());
    let aside = folder.path().join("journal.sqlite.damaged-1790000000");
    assert!(std::fs::read_to_string(&aside).unwrap().starts_with("this is no journal"));
    assert!(journal.trouble().unwrap().contains("journal.sqlite.damaged-1790000000"));
    let first: String = journal.lock().query_row("SELECT entry FROM journal", [], |row| row.get(0)).unwrap();
    assert!(first.contains("journal-begun-anew") && first.contains("damaged-1790000000"), "{first}");
    drop(journal);
    let again = Journal::open_anyway(&path, NOW, None).unwrap();
    assert_eq!((again.trouble(), again.verify().unwrap()), (None, 1));
}

#[test]
fn pages_overwritten_and_tables_of_another_shape_are_damage_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let journal = Journal::open(&path, None).unwrap();
    for n in 0..500 {
        journal.write(NOW, &n).unwrap();
    }
    journal.lock().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(journal);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096..].fill(0xA5);
    std::fs::write(&path, bytes).unwrap();
    let journal = Journal::open_anyway(&path, NOW, None).unwrap();
    assert!(journal.trouble().unwrap().contains("moved to"));
    assert_eq!(journal.verify().unwrap(), 1);
    drop(journal);

    let path = folder.path().join("other.sqlite");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE journal (x)").unwrap();
    let journal = Journal::open_anyway(&path, NOW, None).unwrap();
    assert!(journal.trouble().unwrap().contains("moved to"));
}

#[test]
fn where_no_file_can_be_written_the_journal_is_kept_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    std::fs::create_dir(&path).unwrap();
    let journal = Journal::open_anyway(&path, NOW, None).unwrap();
    assert!(journal.is_in_memory());
    assert!(journal.trouble().unwrap().contains("systemctl restart countersignd"));
    journal.report(&event(HostEventKind::WrongPin, "one")).unwrap();
    assert_eq!((journal.unsent().unwrap(), journal.verify().unwrap()), (1, 2));
    assert!(path.is_dir(), "left as it was");
}

#[test]
fn a_full_disk_is_no_damage() {
    let failure = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
    for code in [rusqlite::ffi::SQLITE_FULL, rusqlite::ffi::SQLITE_IOERR, rusqlite::ffi::SQLITE_CANTOPEN] {
        assert!(!JournalError::from(failure(code)).is_damage());
    }
    assert!(JournalError::from(failure(rusqlite::ffi::SQLITE_CORRUPT)).is_damage());
}

#[test]
fn an_event_that_cannot_be_read_holds_up_no_other() {
    let journal = journal(ON_DISK);
    for told in ["one", "two"] {
        journal.report(&event(HostEventKind::WrongPin, told)).unwrap();
    }
    journal
        .lock()
        .execute_batch(
            "UPDATE outbox SET event = '{' WHERE id = 1; UPDATE outbox SET sealed = '{' WHERE id = 2",
        )
        .unwrap();
    let next = journal.oldest_unsent(Which::All).unwrap().unwrap();
    assert_eq!((next.report.told().as_str(), next.sealed), ("two", None));
    assert_eq!((journal.unsent().unwrap(), journal.refused().unwrap()), (1, 1));
}
