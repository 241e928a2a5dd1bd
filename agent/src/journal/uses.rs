//! Logins without the server: each is counted, written into the chain and put into the outbox in one step, before
//! anybody is let in.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, Digest};
use countersign_protocol::message::OfflineUse;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use super::{Journal, JournalError, chain, outbox, unsettled};

/// Counts that are kept: of rosters that are long gone none is needed.
const KEPT: i64 = 1000;

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS offline_use (
        roster  BLOB NOT NULL,
        account TEXT NOT NULL,
        used    INTEGER NOT NULL,
        last    INTEGER NOT NULL,
        PRIMARY KEY (roster, account)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS barred_roster (
        roster BLOB PRIMARY KEY
    ) STRICT;
";

/// One use to be counted.
#[derive(Debug, Clone, Copy)]
pub struct NewUse<'a> {
    /// The roster that permits it.
    pub roster: Digest,
    /// Whose.
    pub account: &'a AccountName,
    /// SHA-256 of what was signed.
    pub statement: Digest,
    /// How many uses the roster gives each account.
    pub most: u32,
    /// When, in the server's time.
    pub at: Timestamp,
}

/// A use that was counted and written down. Made only by [`Journal::use_offline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Counted {
    number: u32,
    index: u64,
}

impl Counted {
    /// Which use of the roster it is, from 1.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Its place in the chain.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }
}

/// Why a use was not counted; nothing was written then.
#[derive(Debug, thiserror::Error)]
pub enum UseError {
    /// There are no more.
    #[error("every use is spent")]
    Spent,
    /// The journal that counted them was lost.
    #[error("the journal that counted them was lost")]
    CountLost,
    /// Somebody changed the journal, or it is damaged: what it counted may not be true.
    #[error("an entry of the journal was changed or removed")]
    Broken,
    /// The journal cannot keep it.
    #[error(transparent)]
    NotKept(#[from] JournalError),
}

impl Journal {
    /// Counts a use. When this returns it is on the disk: the count, what `entry` says of it in the chain, and the
    /// report for the server.
    ///
    /// # Errors
    /// [`UseError`].
    pub fn use_offline<E: Serialize>(
        &self,
        new: NewUse<'_>,
        entry: impl FnOnce(u32) -> E,
        report: impl FnOnce(u32) -> OfflineUse,
    ) -> Result<Counted, UseError> {
        self.keeps_counts()?;
        self.in_one_step(|transaction| {
            let Some(number) = count(transaction, new)? else {
                let is_barred = is_barred(transaction, new.roster)?;
                return Err(if is_barred { UseError::CountLost } else { UseError::Spent });
            };
            let entry = serde_json::to_string(&entry(number)).map_err(JournalError::from)?;
            let index = chain::append(transaction, new.at, &entry, self.room.entries)?;
            outbox::add_use(transaction, report(number), new.roster)?;
            unsettled::decided_here(transaction, &new.statement)?;
            forget(transaction, new.roster)?;
            Ok(Counted { number, index })
        })
    }

    /// Whether what is counted here is still counted at the next start, and is true now.
    pub(super) fn keeps_counts(&self) -> Result<(), UseError> {
        if self.in_memory {
            let why = "it is kept in memory and would forget the use at the next start";
            return Err(JournalError::new(why.to_owned()).into());
        }
        if self.is_broken() { Err(UseError::Broken) } else { Ok(()) }
    }

    /// How many uses of this roster the account has left; none if nobody can tell.
    #[must_use]
    pub fn uses_left(&self, roster: Digest, account: &AccountName, most: u32) -> u32 {
        if self.in_memory || self.is_broken() {
            return 0;
        }
        let connection = self.lock();
        let used = "SELECT used FROM offline_use WHERE roster = ?1 AND account = ?2";
        let used = connection
            .query_row(used, params![roster.as_bytes(), account.as_str()], |row| row.get::<_, u32>(0))
            .optional();
        match (used, is_barred(&connection, roster)) {
            (Ok(used), Ok(false)) => most.saturating_sub(used.unwrap_or(0)),
            _ => 0,
        }
    }

    /// When a use was last counted: it was that late at least.
    #[must_use]
    pub fn last_use(&self) -> Option<Timestamp> {
        let last = self.lock().query_row("SELECT max(last) FROM offline_use", [], |row| row.get(0));
        last.ok().flatten().map(Timestamp::from_seconds)
    }
}

/// One conditional statement: whoever comes after the last use changes nothing.
fn count(connection: &Connection, new: NewUse<'_>) -> Result<Option<u32>, JournalError> {
    const COUNT: &str = "
        INSERT INTO offline_use (roster, account, used, last)
        SELECT ?1, ?2, 1, ?4 WHERE ?3 > 0 AND NOT EXISTS (SELECT 1 FROM barred_roster WHERE roster = ?1)
        ON CONFLICT (roster, account)
        DO UPDATE SET used = used + 1, last = max(last, excluded.last) WHERE used < ?3
        RETURNING used";
    let NewUse { roster, account, most, at, .. } = new;
    let values = params![roster.as_bytes(), account.as_str(), most, at.seconds()];
    Ok(connection.query_row(COUNT, values, |row| row.get(0)).optional()?)
}

/// Of earlier rosters only: what this one was used for is never forgotten.
fn forget(connection: &Connection, roster: Digest) -> Result<(), JournalError> {
    connection.execute(
        "DELETE FROM offline_use
         WHERE roster <> ?1 AND rowid <= (SELECT max(rowid) FROM offline_use) - ?2",
        params![roster.as_bytes(), KEPT],
    )?;
    Ok(())
}

pub(super) fn is_barred(connection: &Connection, roster: Digest) -> Result<bool, JournalError> {
    let barred = "SELECT count(*) FROM barred_roster WHERE roster = ?1";
    Ok(connection.query_row(barred, [roster.as_bytes()], |row| row.get::<_, i64>(0))? > 0)
}

/// Whether the uses of earlier rosters were ever counted here.
pub(super) fn counts(connection: &Connection) -> Result<bool, JournalError> {
    let found = "SELECT count(*) FROM sqlite_master WHERE name = 'offline_use'";
    Ok(connection.query_row(found, [], |row| row.get::<_, i64>(0))? > 0)
}

/// Nobody knows how often this roster was used: it is used no more.
pub(super) fn bar(connection: &Connection, roster: Digest) -> Result<(), JournalError> {
    connection.execute("INSERT OR IGNORE INTO barred_roster (roster) VALUES (?1)", [roster.as_bytes()])?;
    Ok(())
}

#[cfg(test)]
mod tests;
