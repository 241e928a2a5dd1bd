//! Requests that were sent and whose answer was not acted upon yet.
//!
//! A row is written before its request leaves, and goes in the same transaction as the entry that says what became of
//! it. Whatever is here when the agent starts was interrupted.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{
    AccountName, CorrelationId, Digest, Fingerprint, LoginName, MessageId, Operation, ResourceName,
    ServiceName,
};
use countersign_protocol::message::HostEvent;
use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};

use super::{Journal, JournalError, chain, outbox};

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS unsettled (
        id        BLOB PRIMARY KEY,
        statement BLOB NOT NULL,
        job       TEXT NOT NULL,
        stage     TEXT NOT NULL DEFAULT 'sent' CHECK (stage IN ('sent', 'handing-over', 'decided-here')),
        ledger    INTEGER
    ) STRICT;
";

/// Most rows kept. A host cut off for longer forgets the oldest, which can happen no more; the chain has them.
const MOST: i64 = 1000;

/// A person's request as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentJob {
    /// The name that this host had. None in what an earlier version wrote: the name that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Fingerprint>,
    /// The message's id.
    pub id: MessageId,
    /// SHA-256 of the message's literal data.
    pub digest: Digest,
    /// The message's time.
    pub time: Timestamp,
    /// SHA-256 of the signed statement.
    pub statement: Digest,
    /// What was asked.
    pub operation: Operation,
    /// On what.
    pub resource: ResourceName,
    /// For which login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginName>,
    /// By which PAM service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// By whom.
    pub account: AccountName,
    /// What the person is told to quote if there is no answer.
    pub correlation: CorrelationId,
    /// The user whose program asked.
    pub uid: u32,
}

impl SentJob {
    /// Whether it opens a session here, and changes nothing at the server.
    #[must_use]
    pub fn is_login(&self) -> bool {
        self.operation.as_str() == "open-session"
    }
}

/// How far the host came with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing is known but that it was about to be sent.
    Sent,
    /// The login was allowed, and the program that asked was about to be told.
    HandingOver {
        /// Where the decision lies in the ledger.
        ledger_index: u64,
    },
    /// No answer came in time, and the host decided by itself.
    DecidedHere,
}

/// The host decided by itself what this statement asked for.
pub(super) fn decided_here(transaction: &Transaction<'_>, statement: &Digest) -> Result<(), JournalError> {
    transaction.execute(
        "UPDATE unsettled SET stage = 'decided-here' WHERE statement = ?1 AND stage = 'sent'",
        [statement.as_bytes()],
    )?;
    Ok(())
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// The request.
    pub job: SentJob,
    /// How far the host came.
    pub stage: Stage,
}

/// Its id, what was sent, its stage, and where the decision lies.
type Row = (Vec<u8>, String, String, Option<i64>);

impl Journal {
    /// Notes that a request is about to be sent. When this returns, a killed agent still knows of it; for anything but
    /// a login, so does one whose host lost its power. After a power cut there is no program left to open a session
    /// for, and every login would wait for the disk.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn job_sent(&self, job: &SentJob) -> Result<(), JournalError> {
        let text = serde_json::to_string(job)?;
        let add = |connection: &Transaction<'_>| {
            connection.execute(
                "INSERT INTO unsettled (id, statement, job) VALUES (?1, ?2, ?3)",
                params![job.id.as_bytes(), job.statement.as_bytes(), text],
            )?;
            connection.execute(
                "DELETE FROM unsettled WHERE rowid IN
                 (SELECT rowid FROM unsettled ORDER BY rowid DESC LIMIT -1 OFFSET ?1)",
                [MOST],
            )?;
            Ok(())
        };
        if job.is_login() { self.without_waiting(add) } else { self.in_one_step(add) }
    }

    /// A login was allowed: writes the entry, and that the program which asked is about to be told.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn hand_over(
        &self,
        id: &MessageId,
        ledger_index: u64,
        at: Timestamp,
        entry: &impl Serialize,
    ) -> Result<(), JournalError> {
        let text = serde_json::to_string(entry)?;
        self.in_one_step(|tx| {
            chain::append(tx, at, &text, self.room.entries)?;
            tx.execute(
                "UPDATE unsettled SET stage = 'handing-over', ledger = ?2 WHERE id = ?1",
                params![id.as_bytes(), i64::try_from(ledger_index).unwrap_or(i64::MAX)],
            )?;
            Ok(())
        })
    }

    /// The program that asked was told.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn handed_over(&self, id: &MessageId) -> Result<(), JournalError> {
        self.without_waiting(|connection| {
            connection.execute("DELETE FROM unsettled WHERE id = ?1", [id.as_bytes()])?;
            Ok(())
        })
    }

    /// A request was not sent after all.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn never_sent(&self, id: &MessageId) -> Result<(), JournalError> {
        self.handed_over(id)
    }

    /// It is known what became of a request: writes the entry, has `event` sent if there is one, and forgets the
    /// request, all in one step.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn settle(
        &self,
        id: &MessageId,
        at: Timestamp,
        entry: &impl Serialize,
        event: Option<&HostEvent>,
    ) -> Result<(), JournalError> {
        let text = serde_json::to_string(entry)?;
        self.in_one_step(|tx| {
            chain::append(tx, at, &text, self.room.entries)?;
            if let Some(event) = event {
                let event = outbox::sayable(event);
                let text = serde_json::to_string(&event)?;
                chain::append(tx, event.at, &text, self.room.entries)?;
                outbox::add(tx, event.event, &text, self.room.unsent)?;
            }
            tx.execute("DELETE FROM unsettled WHERE id = ?1", [id.as_bytes()])?;
            Ok(())
        })
    }

    /// What is unsettled, the oldest first. A row that cannot be read is dropped.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn unsettled(&self) -> Result<Vec<Unsettled>, JournalError> {
        let mut found = Vec::new();
        for (id, job, stage, ledger) in self.unsettled_rows()? {
            let Ok(job) = serde_json::from_str(&job) else {
                self.lock().execute("DELETE FROM unsettled WHERE id = ?1", [id])?;
                continue;
            };
            let stage = match (stage.as_str(), ledger) {
                ("handing-over", Some(index)) => Stage::HandingOver { ledger_index: index.unsigned_abs() },
                ("decided-here", _) => Stage::DecidedHere,
                _ => Stage::Sent,
            };
            found.push(Unsettled { job, stage });
        }
        Ok(found)
    }

    fn unsettled_rows(&self) -> Result<Vec<Row>, JournalError> {
        let connection = self.lock();
        let mut rows =
            connection.prepare_cached("SELECT id, job, stage, ledger FROM unsettled ORDER BY rowid")?;
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests;
