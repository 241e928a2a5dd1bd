//! Emergency codes without the server: each is tried only so often, and used only once. A try is on the disk before
//! anything is compared, a use before anybody is let in.

use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Digest;
use countersign_protocol::limits;
use countersign_protocol::message::OfflineEmergency;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use super::{Journal, JournalError, UseError, chain, outbox, unsettled, uses};

/// Codes that are remembered: one that was replaced is in no roster any more.
const KEPT: i64 = 1000;

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS emergency_code (
        salt    BLOB PRIMARY KEY,
        tries   INTEGER NOT NULL,
        used_at INTEGER
    ) STRICT;
";

/// A try that was counted: the code may be compared now, once. Made only by [`Journal::try_emergency_code`].
#[derive(Debug)]
#[must_use]
pub struct CountedTry {
    salt: Binary,
    roster: Digest,
}

impl Journal {
    /// Counts one try of the code that this salt names, if one is left and it was not used here.
    ///
    /// # Errors
    /// [`UseError`]: the code must not even be compared.
    pub fn try_emergency_code(&self, salt: &Binary, roster: Digest) -> Result<CountedTry, UseError> {
        // One conditional statement: tries at once are no more than tries one after another.
        const TRY: &str = "
            INSERT INTO emergency_code (salt, tries) VALUES (?1, 1)
            ON CONFLICT (salt) DO UPDATE SET tries = tries + 1 WHERE tries < ?2 AND used_at IS NULL
            RETURNING tries";
        self.keeps_counts()?;
        self.in_one_step(|transaction| {
            if uses::is_barred(transaction, roster)? {
                return Err(UseError::CountLost);
            }
            let counted: Option<u32> = transaction
                .query_row(TRY, params![salt.0, limits::EMERGENCY_TRIES], |row| row.get(0))
                .optional()
                .map_err(JournalError::from)?;
            if counted.is_none() {
                return Err(UseError::Spent);
            }
            forget(transaction)?;
            Ok(CountedTry { salt: salt.clone(), roster })
        })
    }

    /// Uses the code up, if nobody did before. When this returns it is on the disk: that it was used, what `entry` says
    /// of it in the chain, and the report for the server. Returns the place in the chain.
    ///
    /// # Errors
    /// [`UseError`].
    pub fn use_emergency_code(
        &self,
        tried: CountedTry,
        at: Timestamp,
        entry: &impl Serialize,
        report: OfflineEmergency,
    ) -> Result<u64, UseError> {
        let CountedTry { salt, roster } = tried;
        let text = serde_json::to_string(entry).map_err(JournalError::from)?;
        let statement = Digest::of(&report.statement.0);
        self.in_one_step(|transaction| {
            let used = transaction
                .execute(
                    "UPDATE emergency_code SET used_at = ?2 WHERE salt = ?1 AND used_at IS NULL",
                    params![salt.0, at.seconds()],
                )
                .map_err(JournalError::from)?;
            if used == 0 {
                return Err(UseError::Spent);
            }
            let index = chain::append(transaction, at, &text, self.room.entries)?;
            outbox::add_emergency(transaction, report, roster)?;
            unsettled::decided_here(transaction, &statement)?;
            Ok(index)
        })
    }

    /// The server took the code that this salt names: it is worth nothing here either, whatever roster still has it.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn spend_emergency_code(&self, salt: &Binary, at: Timestamp) -> Result<(), JournalError> {
        self.in_one_step(|transaction| {
            transaction.execute(
                "INSERT INTO emergency_code (salt, tries, used_at) VALUES (?1, 0, ?2)
                 ON CONFLICT (salt) DO UPDATE SET used_at = coalesce(used_at, excluded.used_at)",
                params![salt.0, at.seconds()],
            )?;
            forget(transaction)
        })
    }
}

/// Used ones last: they are what must not be forgotten while a roster may still hold them.
fn forget(connection: &Connection) -> Result<(), JournalError> {
    connection.execute(
        "DELETE FROM emergency_code WHERE salt IN
         (SELECT salt FROM emergency_code ORDER BY used_at IS NULL, rowid DESC LIMIT -1 OFFSET ?1)",
        [KEPT],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offline::scene::{NOW, scene};

    fn journal() -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.sqlite"), None).unwrap();
        (folder, journal)
    }

    fn salt(n: u8) -> Binary {
        Binary(vec![n; 8])
    }

    fn report() -> OfflineEmergency {
        scene().offline_emergency()
    }

    #[test]
    fn an_emergency_code_has_five_tries_at_a_host_and_another_code_has_its_own() {
        let (folder, journal) = journal();
        let roster = Digest::of(b"roster");
        for _ in 0..limits::EMERGENCY_TRIES {
            let _try = journal.try_emergency_code(&salt(1), roster).unwrap();
        }
        assert!(matches!(journal.try_emergency_code(&salt(1), roster), Err(UseError::Spent)));
        // A roster that is made anew brings no new tries, nor does another start.
        let newer = Digest::of(b"newer");
        assert!(matches!(journal.try_emergency_code(&salt(1), newer), Err(UseError::Spent)));
        drop(journal);
        let again = Journal::open(&folder.path().join("journal.sqlite"), None).unwrap();
        assert!(matches!(again.try_emergency_code(&salt(1), newer), Err(UseError::Spent)));
        assert!(again.try_emergency_code(&salt(2), newer).is_ok());
    }

    #[test]
    fn an_emergency_code_tried_by_many_at_once_is_compared_five_times_and_used_once() {
        let (_folder, journal) = journal();
        let tries: Vec<CountedTry> = std::thread::scope(|scope| {
            let one = || journal.try_emergency_code(&salt(1), Digest::of(b"roster")).ok();
            let all: Vec<_> = (0..20).map(|_| scope.spawn(one)).collect();
            all.into_iter().filter_map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(tries.len(), 5);
        let used = tries.into_iter().map(|one| journal.use_emergency_code(one, NOW, &"used", report()));
        assert_eq!(used.filter(Result::is_ok).count(), 1);
        assert!(matches!(journal.try_emergency_code(&salt(1), Digest::of(b"roster")), Err(UseError::Spent)));
        assert_eq!(journal.unsent().unwrap(), 1, "one report");
    }

    #[test]
    fn an_emergency_code_that_the_server_took_is_spent_here_too() {
        let (_folder, journal) = journal();
        let roster = Digest::of(b"roster");
        let tried = journal.try_emergency_code(&salt(1), roster).unwrap();
        journal.spend_emergency_code(&salt(1), NOW).unwrap();
        assert!(matches!(journal.try_emergency_code(&salt(1), roster), Err(UseError::Spent)));
        assert!(matches!(journal.use_emergency_code(tried, NOW, &"used", report()), Err(UseError::Spent)));
        // Also one that was never tried here.
        journal.spend_emergency_code(&salt(2), NOW).unwrap();
        assert!(matches!(journal.try_emergency_code(&salt(2), roster), Err(UseError::Spent)));
        assert!(journal.try_emergency_code(&salt(3), roster).is_ok());
    }

    #[test]
    fn an_emergency_code_is_of_no_use_where_counts_were_lost_or_cannot_be_kept() {
        let folder = tempfile::tempdir().unwrap();
        let held = Digest::of(b"roster");
        let journal = Journal::open(&folder.path().join("journal.sqlite"), Some(held)).unwrap();
        assert!(matches!(journal.try_emergency_code(&salt(1), held), Err(UseError::CountLost)));
        let nowhere = folder.path().join("none").join("journal.sqlite");
        let in_memory = Journal::open_anyway(&nowhere, NOW, None).unwrap();
        assert!(matches!(in_memory.try_emergency_code(&salt(1), held), Err(UseError::NotKept(_))));
    }
}
