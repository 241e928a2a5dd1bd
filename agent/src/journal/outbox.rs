//! The events that the server has not confirmed yet.

use countersign_protocol::envelope::Sealed;
use countersign_protocol::message::{HostEvent, HostEventKind};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Journal, JournalError};

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

/// Longest sentence that the server takes, in bytes.
const TOLD: usize = 500;

/// The event with its sentence as the server takes it: no control characters, and not too long.
pub(super) fn sayable(event: &HostEvent) -> HostEvent {
    let mut told: String = event.told.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    told.truncate(told.floor_char_boundary(TOLD));
    HostEvent { told, ..event.clone() }
}

/// Adds an event; of more than `most` the least telling go, oldest first.
pub(super) fn add(
    connection: &Connection,
    kind: HostEventKind,
    text: &str,
    most: i64,
) -> Result<(), JournalError> {
    connection.execute("INSERT INTO outbox (event, flood) VALUES (?1, ?2)", params![text, is_flood(kind)])?;
    let count: i64 = connection.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))?;
    if count > most {
        connection.execute(
            "DELETE FROM outbox WHERE id IN
             (SELECT id FROM outbox ORDER BY refused DESC, flood DESC, id LIMIT ?1)",
            [count - most],
        )?;
    }
    Ok(())
}

/// What happens without any card, so that anybody can cause it again and again.
const fn is_flood(event: HostEventKind) -> bool {
    match event {
        HostEventKind::RemoteSession | HostEventKind::NoAnswer => true,
        HostEventKind::WrongPin
        | HostEventKind::CardBlocked
        | HostEventKind::CardPulled
        | HostEventKind::BadAnswer
        | HostEventKind::NeverOpened => false,
    }
}

impl Journal {
    /// The oldest event that the server has not confirmed. One that cannot be read is parked.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn oldest_unsent(&self) -> Result<Option<Unsent>, JournalError> {
        const OLDEST: &str = "SELECT id, event, sealed FROM outbox WHERE refused = 0 ORDER BY id LIMIT 1";
        loop {
            let row = self
                .lock()
                .query_row(OLDEST, [], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
                })
                .optional()?;
            let Some((id, event, sealed)) = row else { return Ok(None) };
            match serde_json::from_str(&event) {
                // An envelope that cannot be read is made anew.
                Ok(event) => {
                    let sealed = sealed.and_then(|sealed| serde_json::from_str(&sealed).ok());
                    return Ok(Some(Unsent { id, event, sealed }));
                }
                Err(_) => self.park(id)?,
            }
        }
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

    /// The server will not have it: it stays here and holds up no other.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn park(&self, id: i64) -> Result<(), JournalError> {
        self.lock().execute("UPDATE outbox SET refused = 1, sealed = NULL WHERE id = ?1", params![id])?;
        Ok(())
    }

    /// Events the server has not confirmed and may still take.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn unsent(&self) -> Result<u64, JournalError> {
        self.count("SELECT count(*) FROM outbox WHERE refused = 0")
    }

    /// Events the server will not have.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn refused(&self) -> Result<u64, JournalError> {
        self.count("SELECT count(*) FROM outbox WHERE refused = 1")
    }

    fn count(&self, query: &str) -> Result<u64, JournalError> {
        let count: i64 = self.lock().query_row(query, [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }
}
