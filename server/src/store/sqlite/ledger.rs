//! The log's rows.

use countersign_protocol::binary::Binary;
use countersign_protocol::ids::Digest;
use countersign_protocol::message::result::{Evidence, ExportedEntry};
use countersign_protocol::statement::SignedStatement;
use countersign_server_core::ledger::{LedgerRead, LedgerSnapshot, LedgerTx, StorageFailure};
use countersign_server_core::store::StoreError;
use rusqlite::Connection;

use super::rows::{bytes, count, number, optional};
use super::transaction::SqliteTransaction;
use super::unavailable;
use super::view::SqliteView;

fn failed(error: StoreError) -> StorageFailure {
    StorageFailure(error.into())
}

fn size(connection: &Connection) -> Result<u64, StoreError> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(place) FROM ledger_entries")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(unavailable)?;
    last.map_or(Ok(0), |last| Ok(count(last, "a ledger place")? + 1))
}

fn hashes(connection: &Connection, positions: &[u64]) -> Result<Vec<Digest>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT hash FROM ledger_hashes WHERE position = ?1")
        .map_err(unavailable)?;
    positions
        .iter()
        .map(|&position| {
            let hash: Vec<u8> =
                statement.query_row([number(position)?], |row| row.get(0)).map_err(|error| match error {
                    rusqlite::Error::QueryReturnedNoRows => {
                        StoreError::Corrupt(format!("the ledger has no hash at {position}"))
                    }
                    other => unavailable(other),
                })?;
            bytes(&hash, "a ledger hash").map(Digest::from_bytes)
        })
        .collect()
}

fn entries(connection: &Connection, from: u64, most: u64) -> Result<Vec<ExportedEntry>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT entry, salt, statement, signature
             FROM ledger_entries LEFT JOIN ledger_evidence USING (place)
             WHERE place >= ?1 ORDER BY place LIMIT ?2",
        )
        .map_err(unavailable)?;
    let rows = statement
        .query_map((number(from)?, number(most)?), |row| {
            let salt: Option<Vec<u8>> = row.get(1)?;
            let evidence = match salt {
                None => None,
                Some(salt) => Some(Evidence {
                    salt: Binary(salt),
                    signed: SignedStatement {
                        statement: Binary(row.get(2)?),
                        signature: Binary(row.get(3)?),
                    },
                }),
            };
            Ok(ExportedEntry { entry: Binary(row.get(0)?), evidence })
        })
        .map_err(unavailable)?;
    rows.collect::<Result<_, _>>().map_err(unavailable)
}

fn checkpoint(connection: &Connection) -> Result<Option<(u64, String)>, StoreError> {
    let row =
        optional(connection.prepare_cached("SELECT size, note FROM ledger_checkpoint").and_then(
            |mut statement| statement.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))),
        ))?;
    row.map(|(size, note)| Ok((count(size, "a checkpoint's size")?, note))).transpose()
}

trait Connected {
    fn connected(&self) -> Result<&Connection, StoreError>;
}

impl Connected for SqliteTransaction<'_> {
    fn connected(&self) -> Result<&Connection, StoreError> {
        Ok(self.connection())
    }
}

impl Connected for SqliteView<'_> {
    fn connected(&self) -> Result<&Connection, StoreError> {
        self.connection()
    }
}

macro_rules! reads {
    ($reader:ty) => {
        impl LedgerRead for $reader {
            fn size(&self) -> Result<u64, StorageFailure> {
                self.connected().and_then(size).map_err(failed)
            }

            fn hashes(&self, positions: &[u64]) -> Result<Vec<Digest>, StorageFailure> {
                self.connected().and_then(|connection| hashes(connection, positions)).map_err(failed)
            }

            fn entries(&self, from: u64, most: u64) -> Result<Vec<ExportedEntry>, StorageFailure> {
                self.connected().and_then(|connection| entries(connection, from, most)).map_err(failed)
            }

            fn checkpoint(&self) -> Result<Option<(u64, String)>, StorageFailure> {
                self.connected().and_then(checkpoint).map_err(failed)
            }
        }
    };
}

reads!(SqliteTransaction<'_>);
reads!(SqliteView<'_>);

impl LedgerSnapshot for SqliteView<'_> {}

impl LedgerTx for SqliteTransaction<'_> {
    fn put_entry(
        &mut self,
        index: u64,
        entry: &[u8],
        evidence: Option<&Evidence>,
    ) -> Result<(), StorageFailure> {
        let place = number(index).map_err(failed)?;
        self.write("INSERT INTO ledger_entries (place, entry) VALUES (?1, ?2)", (place, entry))
            .map_err(failed)?;
        if let Some(Evidence { salt, signed }) = evidence {
            let digest = Digest::of(&signed.statement.0);
            self.write(
                "INSERT INTO ledger_evidence (place, salt, statement, signature, digest)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                (place, &salt.0, &signed.statement.0, &signed.signature.0, digest.as_bytes()),
            )
            .map_err(failed)?;
        }
        Ok(())
    }

    fn put_hashes(&mut self, first: u64, hashes: &[Digest]) -> Result<(), StorageFailure> {
        for (position, hash) in (first..).zip(hashes) {
            self.write(
                "INSERT INTO ledger_hashes (position, hash) VALUES (?1, ?2)",
                (number(position).map_err(failed)?, hash.as_bytes()),
            )
            .map_err(failed)?;
        }
        Ok(())
    }

    fn put_checkpoint(&mut self, size: u64, note: &str) -> Result<(), StorageFailure> {
        self.write(
            "INSERT INTO ledger_checkpoint (only_one, size, note) VALUES (1, ?1, ?2)
             ON CONFLICT (only_one) DO UPDATE SET size = excluded.size, note = excluded.note",
            (number(size).map_err(failed)?, note),
        )
        .map_err(failed)?;
        Ok(())
    }
}
