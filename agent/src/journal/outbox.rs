//! The reports that the server has not confirmed yet.

use countersign_protocol::envelope::Sealed;
use countersign_protocol::ids::Digest;
use countersign_protocol::message::{HostEvent, HostEventKind, OfflineEmergency, OfflineUse};
use countersign_protocol::roster::SignedRoster;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::report::{Disputed, Kept, KeptEmergency, KeptUse, Report};
use super::{Journal, JournalError};

/// A report on its way to the server.
#[derive(Debug, Clone)]
pub struct Unsent {
    /// Its place in the outbox.
    pub id: i64,
    /// What it says.
    pub report: Report,
    /// The envelope it was last sent in; sent again, it is not counted twice.
    pub sealed: Option<Sealed>,
}

/// Which reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Logins without the server alone.
    OfflineUses,
}

/// Longest sentence that the server takes, in bytes.
const TOLD: usize = 500;

/// The event with its sentence as the server takes it: no control characters, and not too long.
pub(super) fn sayable(event: &HostEvent) -> HostEvent {
    let mut told: String = event.told.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    told.truncate(told.floor_char_boundary(TOLD));
    HostEvent { told, ..event.clone() }
}

/// Adds an event; of more than `most` the least telling go, oldest first. Uses are never pushed out.
pub(super) fn add(
    connection: &Connection,
    kind: HostEventKind,
    text: &str,
    most: i64,
) -> Result<(), JournalError> {
    connection.execute("INSERT INTO outbox (event, flood) VALUES (?1, ?2)", params![text, is_flood(kind)])?;
    let events = "SELECT count(*) FROM outbox WHERE roster IS NULL AND disputed IS NULL";
    let count: i64 = connection.query_row(events, [], |row| row.get(0))?;
    if count > most {
        connection.execute(
            "DELETE FROM outbox WHERE id IN
             (SELECT id FROM outbox WHERE roster IS NULL AND disputed IS NULL
              ORDER BY refused DESC, flood DESC, id LIMIT ?1)",
            [count - most],
        )?;
    }
    Ok(())
}

/// Adds a login without the server. There are no more of these than rosters permit.
pub(super) fn add_use(
    connection: &Connection,
    offline: OfflineUse,
    roster: Digest,
) -> Result<(), JournalError> {
    let (kept, signed) = KeptUse::of(offline);
    add_with_roster(connection, serde_json::to_string(&kept)?, &signed, roster)
}

/// The same of an emergency code: there are no more of these than codes.
pub(super) fn add_emergency(
    connection: &Connection,
    offline: OfflineEmergency,
    roster: Digest,
) -> Result<(), JournalError> {
    let (kept, signed) = KeptEmergency::of(offline);
    add_with_roster(connection, serde_json::to_string(&kept)?, &signed, roster)
}

fn add_with_roster(
    connection: &Connection,
    kept: String,
    signed: &SignedRoster,
    roster: Digest,
) -> Result<(), JournalError> {
    connection.execute(
        "INSERT OR IGNORE INTO used_roster (digest, signed) VALUES (?1, ?2)",
        params![roster.as_bytes(), serde_json::to_string(signed)?],
    )?;
    connection
        .execute("INSERT INTO outbox (event, roster) VALUES (?1, ?2)", params![kept, roster.as_bytes()])?;
    Ok(())
}

/// A roster that no report needs any more.
fn forget_rosters(connection: &Connection) -> Result<(), JournalError> {
    connection.execute(
        "DELETE FROM used_roster WHERE digest NOT IN (SELECT roster FROM outbox WHERE roster IS NOT NULL)",
        [],
    )?;
    Ok(())
}

/// What happens without any card, so that anybody can cause it again and again.
const fn is_flood(event: HostEventKind) -> bool {
    match event {
        HostEventKind::RemoteSession
        | HostEventKind::NoAnswer
        | HostEventKind::SessionOpened
        | HostEventKind::SessionClosed
        | HostEventKind::ConsentReused => true,
        HostEventKind::WrongPin
        | HostEventKind::CardBlocked
        | HostEventKind::CardPulled
        | HostEventKind::PinTaken
        | HostEventKind::BadSignature
        | HostEventKind::WrongEmergencyCode
        | HostEventKind::CardTwice
        | HostEventKind::BadAnswer
        | HostEventKind::LedgerAccepted
        | HostEventKind::NeverOpened
        | HostEventKind::CardRemoved
        | HostEventKind::PinChanged
        | HostEventKind::CardUnblocked
        | HostEventKind::RescueBegan
        | HostEventKind::RescueEnded => false,
    }
}

/// A row of the outbox.
struct Row {
    id: i64,
    text: String,
    /// Of a use: the roster as the server signed it.
    roster: Option<String>,
    is_use: bool,
    sealed: Option<String>,
}

impl Row {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let is_use = row.get::<_, Option<Vec<u8>>>(2)?.is_some();
        Ok(Self { id: row.get(0)?, text: row.get(1)?, is_use, roster: row.get(3)?, sealed: row.get(4)? })
    }

    fn report(&self) -> Result<Report, JournalError> {
        if !self.is_use {
            return Ok(Report::Event(serde_json::from_str(&self.text)?));
        }
        let roster =
            self.roster.as_deref().ok_or_else(|| JournalError::new("a roster is lost".to_owned()))?;
        let kept: Kept = serde_json::from_str(&self.text)?;
        Ok(kept.with(serde_json::from_str(roster)?))
    }
}

impl Journal {
    /// The oldest of these reports that the server has not confirmed. One that cannot be read is parked.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn oldest_unsent(&self, which: Which) -> Result<Option<Unsent>, JournalError> {
        const OLDEST: &str = "
            SELECT id, event, roster, signed, sealed FROM outbox LEFT JOIN used_roster ON digest = roster
            WHERE refused = 0 AND disputed IS NULL AND (?1 OR roster IS NOT NULL) ORDER BY id LIMIT 1";
        let all = which == Which::All;
        loop {
            let Some(row) = self.lock().query_row(OLDEST, [all], Row::read).optional()? else {
                return Ok(None);
            };
            match row.report() {
                // An envelope that cannot be read is made anew.
                Ok(report) => {
                    let sealed = row.sealed.and_then(|sealed| serde_json::from_str(&sealed).ok());
                    return Ok(Some(Unsent { id: row.id, report, sealed }));
                }
                Err(_) => self.park(row.id)?,
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
        let connection = self.lock();
        connection.execute("DELETE FROM outbox WHERE id = ?1", params![id])?;
        forget_rosters(&connection)
    }

    /// The server will not have it: it stays here and holds up no other.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn park(&self, id: i64) -> Result<(), JournalError> {
        self.lock().execute("UPDATE outbox SET refused = 1, sealed = NULL WHERE id = ?1", params![id])?;
        Ok(())
    }

    /// The server has it, and says that it should not have been: it stays here to be looked at.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn dispute(&self, id: i64, why: &str) -> Result<(), JournalError> {
        self.lock()
            .execute("UPDATE outbox SET disputed = ?2, sealed = NULL WHERE id = ?1", params![id, why])?;
        Ok(())
    }

    /// Reports the server has not confirmed and may still take.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn unsent(&self) -> Result<u64, JournalError> {
        self.count("SELECT count(*) FROM outbox WHERE refused = 0 AND disputed IS NULL")
    }

    /// Reports the server will not have.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn refused(&self) -> Result<u64, JournalError> {
        self.count("SELECT count(*) FROM outbox WHERE refused = 1")
    }

    /// Logins without the server that it holds against this host, or will not hear of: how many.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn disputed_count(&self) -> Result<u64, JournalError> {
        self.count(
            "SELECT count(*) FROM outbox WHERE roster IS NOT NULL AND (refused = 1 OR disputed IS NOT NULL)",
        )
    }

    /// The newest `most` of them, newest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn disputed(&self, most: u32) -> Result<Vec<Disputed>, JournalError> {
        const NEWEST: &str = "
            SELECT event, disputed FROM outbox
            WHERE roster IS NOT NULL AND (refused = 1 OR disputed IS NOT NULL) ORDER BY id DESC LIMIT ?1";
        let connection = self.lock();
        let mut rows = connection.prepare(NEWEST)?;
        let rows =
            rows.query_map([most], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)))?;
        let mut disputed = Vec::new();
        for row in rows {
            let (text, why) = row?;
            // One that cannot be read is counted, and hides no other.
            if let Ok(kept) = serde_json::from_str::<Kept>(&text) {
                disputed.push(Disputed::of(&kept, why));
            }
        }
        Ok(disputed)
    }

    fn count(&self, query: &str) -> Result<u64, JournalError> {
        let count: i64 = self.lock().query_row(query, [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }
}
