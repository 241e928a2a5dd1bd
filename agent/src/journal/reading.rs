//! Looking entries up, a page at a time: who writes meanwhile waits for one page.

use std::collections::HashMap;

use countersign_protocol::ipc::ReportState;
use rusqlite::params;
use serde::Deserialize;

use super::{Journal, JournalError};

/// An entry as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its place, counted from 1.
    pub index: u64,
    /// When.
    pub at: String,
    /// Its JSON.
    pub entry: String,
}

/// Reports read at once.
const PAGE: i64 = 500;

/// What tells an event in the outbox.
#[derive(Deserialize)]
struct Told {
    correlation: String,
}

impl Journal {
    /// The first `most` entries after `index`, the oldest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn after(&self, index: u64, most: u32) -> Result<Vec<Written>, JournalError> {
        self.select("SELECT seq, at, entry FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2", index, most)
    }

    /// The last `most` entries before `index`, the newest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn before(&self, index: u64, most: u32) -> Result<Vec<Written>, JournalError> {
        self.select(
            "SELECT seq, at, entry FROM journal WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
            index,
            most,
        )
    }

    /// Why the ledger does not have an event, by its correlation id, for all that it does not have.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn reports(&self) -> Result<HashMap<String, ReportState>, JournalError> {
        let (mut states, mut last) = (HashMap::new(), 0);
        loop {
            let rows = self.outbox_after(last)?;
            let Some((id, ..)) = rows.last() else { return Ok(states) };
            last = *id;
            for (_, event, refused, disputed) in rows {
                if let Ok(told) = serde_json::from_str::<Told>(&event) {
                    let state = match (refused, disputed) {
                        (_, true) => ReportState::Disputed,
                        (true, false) => ReportState::Refused,
                        (false, false) => ReportState::Unsent,
                    };
                    states.insert(told.correlation, state);
                }
            }
        }
    }

    /// A page of the outbox: its place, what it says, whether it was refused, and whether it is disputed.
    fn outbox_after(&self, id: i64) -> Result<Vec<(i64, String, bool, bool)>, JournalError> {
        let connection = self.lock();
        let mut rows = connection.prepare_cached(
            "SELECT id, event, refused, disputed IS NOT NULL FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let rows =
            rows.query_map([id, PAGE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn select(&self, query: &str, index: u64, most: u32) -> Result<Vec<Written>, JournalError> {
        let connection = self.lock();
        let mut rows = connection.prepare_cached(query)?;
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        let rows = rows.query_map(params![index, most], |row| {
            Ok(Written { index: row.get::<_, i64>(0)?.unsigned_abs(), at: row.get(1)?, entry: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
