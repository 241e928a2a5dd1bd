//! Each entry's hash covers the one before it, from a stored anchor on: what lies before it was forgotten.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Digest;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Fault, JournalError};

/// Entries read at once, so that a long chain holds up nobody who writes.
const PAGE: i64 = 1000;

/// Where a chain stands: after this entry, with this hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    seq: i64,
    hash: Digest,
}

/// Before the first entry.
const START: Place = Place { seq: 0, hash: Digest::from_bytes([0; 32]) };

/// Some entries as they were read.
pub(super) struct Page {
    after: Place,
    rows: Vec<(i64, String, String, Vec<u8>)>,
}

/// Adds an entry and says which it is; of more than `keep` entries the oldest go, some at a time.
pub(super) fn append(
    connection: &Connection,
    at: Timestamp,
    entry: &str,
    keep: i64,
) -> Result<u64, JournalError> {
    let anchor = anchor(connection)?;
    let last = place(connection, "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1")?;
    let last = last.unwrap_or(anchor);
    let (seq, at) = (last.seq + 1, at.to_string());
    let hash = link(last.hash, &at, entry);
    connection.execute(
        "INSERT INTO journal (seq, at, entry, hash) VALUES (?1, ?2, ?3, ?4)",
        params![seq, at, entry, hash.as_bytes()],
    )?;
    if seq - anchor.seq > keep + keep / 100 {
        forget(connection, seq - keep)?;
    }
    Ok(seq.unsigned_abs())
}

fn forget(connection: &Connection, until: i64) -> Result<(), JournalError> {
    connection.execute(
        "INSERT OR REPLACE INTO anchor (one, seq, hash)
         SELECT 1, seq, hash FROM journal WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1",
        [until],
    )?;
    connection.execute("DELETE FROM journal WHERE seq <= (SELECT seq FROM anchor)", [])?;
    Ok(())
}

/// What follows `after`, or the anchor if that has moved past it.
pub(super) fn page(connection: &Connection, after: Option<Place>) -> Result<Page, JournalError> {
    let anchor = anchor(connection)?;
    let after = after.filter(|after| after.seq >= anchor.seq).unwrap_or(anchor);
    let mut rows = connection
        .prepare("SELECT seq, at, entry, hash FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let rows =
        rows.query_map([after.seq, PAGE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    Ok(Page { after, rows: rows.collect::<Result<_, _>>()? })
}

impl Page {
    /// Where the chain stands after it, and how many entries it has; `None` at the end of the chain.
    pub(super) fn check(&self) -> Result<Option<(Place, u64)>, JournalError> {
        let mut place = self.after;
        for (seq, at, entry, hash) in &self.rows {
            let next = Place { seq: place.seq + 1, hash: link(place.hash, at, entry) };
            if *seq != next.seq || *hash != next.hash.as_bytes() {
                let why = format!("entry {} was changed or removed", next.seq);
                return Err(JournalError { why, fault: Fault::Chain });
            }
            place = next;
        }
        let count = u64::try_from(self.rows.len()).unwrap_or(u64::MAX);
        Ok((count > 0).then_some((place, count)))
    }
}

fn anchor(connection: &Connection) -> Result<Place, JournalError> {
    Ok(place(connection, "SELECT seq, hash FROM anchor")?.unwrap_or(START))
}

fn place(connection: &Connection, query: &str) -> Result<Option<Place>, JournalError> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Place { seq: row.get(0)?, hash: Digest::from_bytes(row.get::<_, [u8; 32]>(1)?) })
    };
    Ok(connection.query_row(query, [], read).optional()?)
}

/// SHA-256 over the previous hash and the digests of both texts.
fn link(previous: Digest, at: &str, entry: &str) -> Digest {
    let parts = [previous, Digest::of(at.as_bytes()), Digest::of(entry.as_bytes())];
    Digest::of(&parts.map(|part| *part.as_bytes()).concat())
}
