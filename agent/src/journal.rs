//! The host's own memory of what it decided, hash-chained, and the events the server has not confirmed yet.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::Sealed;
use countersign_protocol::ids::Digest;
use countersign_protocol::message::HostEvent;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

/// Unsent events kept; a host cut off for longer forgets the oldest, which stay in the journal itself.
const MOST_UNSENT: u64 = 10_000;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS journal (
        seq   INTEGER PRIMARY KEY,
        at    TEXT NOT NULL,
        entry TEXT NOT NULL,
        hash  BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS outbox (
        id     INTEGER PRIMARY KEY AUTOINCREMENT,
        event  TEXT NOT NULL,
        sealed TEXT
    ) STRICT;
";

/// The journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("the journal: {0}")]
pub struct JournalError(String);

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<serde_json::Error> for JournalError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// The journal's file.
#[derive(Debug)]
pub struct Journal {
    /// Held for one statement or one short transaction.
    connection: Mutex<Connection>,
}

/// An event on its way to the server.
#[derive(Debug, Clone)]
pub struct Unsent {
    /// Its place in the outbox.
    pub id: i64,
    /// What happened.
    pub event: HostEvent,
    /// The envelope it was last sent in; sent again, it is not counted twice.
    pub sealed: Option<Sealed>,
}

impl Journal {
    /// Opens the file, for root only (the process's umask sees to that).
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Self::with(Connection::open(path)?)
    }

    fn with(connection: Connection) -> Result<Self, JournalError> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Adds one entry to the chain.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn write(&self, at: Timestamp, entry: &impl Serialize) -> Result<(), JournalError> {
        let text = serde_json::to_string(entry)?;
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        append(&transaction, at, &text)?;
        Ok(transaction.commit()?)
    }

    /// Adds an event to the chain and to the outbox, in one step.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn report(&self, event: &HostEvent) -> Result<(), JournalError> {
        let text = serde_json::to_string(event)?;
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        append(&transaction, event.at, &text)?;
        transaction.execute("INSERT INTO outbox (event) VALUES (?1)", params![text])?;
        transaction.execute(
            "DELETE FROM outbox WHERE id <= (SELECT max(id) FROM outbox) - ?1",
            params![i64::try_from(MOST_UNSENT).unwrap_or(i64::MAX)],
        )?;
        Ok(transaction.commit()?)
    }

    /// The oldest event that the server has not confirmed.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn oldest_unsent(&self) -> Result<Option<Unsent>, JournalError> {
        let row = self
            .lock()
            .query_row("SELECT id, event, sealed FROM outbox ORDER BY id LIMIT 1", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
            })
            .optional()?;
        let Some((id, event, sealed)) = row else { return Ok(None) };
        let sealed = sealed.map(|sealed| serde_json::from_str(&sealed)).transpose()?;
        Ok(Some(Unsent { id, event: serde_json::from_str(&event)?, sealed }))
    }

    /// Remembers the envelope before it is sent.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn remember_sealed(&self, id: i64, sealed: Option<&Sealed>) -> Result<(), JournalError> {
        let text = sealed.map(serde_json::to_string).transpose()?;
        self.lock().execute("UPDATE outbox SET sealed = ?2 WHERE id = ?1", params![id, text])?;
        Ok(())
    }

    /// The server has it.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn confirm(&self, id: i64) -> Result<(), JournalError> {
        self.lock().execute("DELETE FROM outbox WHERE id = ?1", params![id])?;
        Ok(())
    }

    /// Events the server has not confirmed.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn unsent(&self) -> Result<u64, JournalError> {
        let count: i64 = self.lock().query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Checks the chain from its first entry; returns how many there are.
    ///
    /// # Errors
    /// [`JournalError`] names the first entry that was changed or removed.
    pub fn verify(&self) -> Result<u64, JournalError> {
        let connection = self.lock();
        let mut rows = connection.prepare("SELECT seq, at, entry, hash FROM journal ORDER BY seq")?;
        let mut rows = rows.query([])?;
        let (mut previous, mut count) = (START, 0_i64);
        while let Some(row) = rows.next()? {
            let (seq, at, entry): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let hash: Vec<u8> = row.get(3)?;
            count += 1;
            previous = chain(previous, &at, &entry);
            if seq != count || hash != previous.as_bytes() {
                return Err(JournalError(format!("entry {count} was changed or removed")));
            }
        }
        Ok(count.unsigned_abs())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic left open is rolled back when its guard goes.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const START: Digest = Digest::from_bytes([0; 32]);

fn append(connection: &Connection, at: Timestamp, entry: &str) -> Result<(), JournalError> {
    let last = connection
        .query_row("SELECT hash FROM journal ORDER BY seq DESC LIMIT 1", [], |row| row.get::<_, [u8; 32]>(0))
        .optional()?;
    let previous = last.map_or(START, Digest::from_bytes);
    let at = at.to_string();
    let hash = chain(previous, &at, entry);
    connection.execute(
        "INSERT INTO journal (seq, at, entry, hash) VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM journal), ?1, ?2, ?3)",
        params![at, entry, hash.as_bytes()],
    )?;
    Ok(())
}

/// SHA-256 over the previous hash and the digests of both texts.
fn chain(previous: Digest, at: &str, entry: &str) -> Digest {
    let parts = [previous, Digest::of(at.as_bytes()), Digest::of(entry.as_bytes())];
    Digest::of(&parts.map(|part| *part.as_bytes()).concat())
}

#[cfg(test)]
mod tests {
    use countersign_protocol::ids::CorrelationId;
    use countersign_protocol::message::HostEventKind;
    use countersign_protocol::random::SystemRandom;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn event(told: &str) -> HostEvent {
        HostEvent {
            event: HostEventKind::WrongPin,
            at: NOW,
            correlation: CorrelationId::new(&SystemRandom).unwrap(),
            login: None,
            account: None,
            service: None,
            card: None,
            told: told.to_owned(),
        }
    }

    #[test]
    fn a_changed_entry_breaks_the_chain() {
        let journal = Journal::with(Connection::open_in_memory().unwrap()).unwrap();
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
        let journal = Journal::with(Connection::open_in_memory().unwrap()).unwrap();
        journal.report(&event("one")).unwrap();
        journal.report(&event("two")).unwrap();
        assert_eq!(journal.unsent().unwrap(), 2);
        let first = journal.oldest_unsent().unwrap().unwrap();
        assert_eq!(first.event.told, "one");
        journal.confirm(first.id).unwrap();
        assert_eq!(journal.oldest_unsent().unwrap().unwrap().event.told, "two");
        assert_eq!(journal.verify().unwrap(), 2, "the chain keeps both");
    }
}
