//! The log's rows.

use std::collections::HashMap;

use countersign_protocol::binary::Binary;
use countersign_protocol::ids::Digest;
use countersign_protocol::message::result::{Evidence, ExportedEntry};
use countersign_protocol::statement::SignedStatement;
use countersign_server_core::ledger::{LedgerRead, LedgerSnapshot, LedgerTx, StorageFailure, Tip};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, count, number};
use super::{Kind, Reading, Snapshot, Sql, Table, Writing};

/// Where the log ends. One statement: what it says belongs together, whoever commits meanwhile.
pub(super) const TIP: &str = "SELECT (SELECT max(place) FROM ledger_entries), size, note
    FROM (SELECT 1 AS one) AS always LEFT JOIN ledger_checkpoint ON only_one = one";

static ENTRIES: Table = Table {
    name: "ledger_entries",
    columns: &[("place", Kind::Integer), ("entry", Kind::Blob)],
    otherwise: "",
};

static EVIDENCE: Table = Table {
    name: "ledger_evidence",
    columns: &[
        ("place", Kind::Integer),
        ("salt", Kind::Blob),
        ("statement", Kind::Blob),
        ("signature", Kind::Blob),
        ("digest", Kind::Blob),
    ],
    otherwise: "",
};

static HASHES: Table = Table {
    name: "ledger_hashes",
    columns: &[("position", Kind::Integer), ("hash", Kind::Blob)],
    otherwise: "",
};

/// Hashes that one statement asks for.
const AT_ONCE: usize = 16;

fn failed(error: StoreError) -> StorageFailure {
    StorageFailure(error.into())
}

impl<D: Reading> Sql<D> {
    fn tip_of_log(&self) -> Result<Tip, StoreError> {
        if let Some(known) = self.0.known_tip() {
            return Ok(known);
        }
        let tip = self.read(TIP, (), |row| {
            Ok((row.get::<Option<i64>>(0)?, row.get::<Option<i64>>(1)?, row.get::<Option<String>>(2)?))
        })?;
        let (last, sealed, note) = tip.unwrap_or_default();
        let size = last.map_or(Ok(0), |last| Ok(count(last, "a ledger place")? + 1))?;
        let sealed = sealed.map(|sealed| count(sealed, "a checkpoint's size")).transpose()?;
        let tip = Tip { size, checkpoint: sealed.zip(note) };
        self.0.learn_tip(&tip);
        Ok(tip)
    }

    /// In as few questions as possible: a database may be far away.
    fn hashes_at(&self, positions: &[u64]) -> Result<Vec<Digest>, StoreError> {
        let mut found = HashMap::new();
        for some in positions.chunks(AT_ONCE) {
            // Where there are fewer, the last one is asked for again: it is one statement.
            let last = some.last().copied().unwrap_or_default();
            let mut asked = [number(last)?; AT_ONCE];
            for (at, position) in asked.iter_mut().zip(some) {
                *at = number(*position)?;
            }
            let rows = self.read_all(
                "SELECT position, hash FROM ledger_hashes
                 WHERE position IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
                asked,
                |row| Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?)),
            )?;
            found.extend(rows);
        }
        let hash = |position: &u64| {
            let hash = found.get(&number(*position)?);
            let hash =
                hash.ok_or_else(|| StoreError::Corrupt(format!("the ledger has no hash at {position}")))?;
            bytes(hash, "a ledger hash").map(Digest::from_bytes)
        };
        positions.iter().map(hash).collect()
    }

    fn exported(&self, from: u64, most: u64) -> Result<Vec<ExportedEntry>, StoreError> {
        self.read_all(
            "SELECT entry, salt, statement, signature
             FROM ledger_entries LEFT JOIN ledger_evidence USING (place)
             WHERE place >= $1 ORDER BY place LIMIT $2",
            (number(from)?, number(most)?),
            |row| {
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
            },
        )
    }
}

impl<D: Reading> LedgerRead for Sql<D> {
    fn tip(&self) -> Result<Tip, StorageFailure> {
        self.tip_of_log().map_err(failed)
    }

    fn hashes(&self, positions: &[u64]) -> Result<Vec<Digest>, StorageFailure> {
        self.hashes_at(positions).map_err(failed)
    }

    fn entries(&self, from: u64, most: u64) -> Result<Vec<ExportedEntry>, StorageFailure> {
        self.exported(from, most).map_err(failed)
    }
}

impl<D: Snapshot> LedgerSnapshot for Sql<D> {}

impl<D: Writing> LedgerTx for Sql<D> {
    fn put_entry(
        &mut self,
        index: u64,
        entry: &[u8],
        evidence: Option<&Evidence>,
    ) -> Result<(), StorageFailure> {
        let place = number(index).map_err(failed)?;
        self.add(&ENTRIES, (place, entry)).map_err(failed)?;
        self.1.now.set(self.1.now.get() + 1);
        if let Some(Evidence { salt, signed }) = evidence {
            let digest = Digest::of(&signed.statement.0);
            self.add(
                &EVIDENCE,
                (place, &salt.0, &signed.statement.0, &signed.signature.0, digest.as_bytes()),
            )
            .map_err(failed)?;
        }
        if let Some(tip) = self.0.known_tip() {
            self.0.learn_tip(&Tip { size: index + 1, ..tip });
        }
        Ok(())
    }

    fn put_hashes(&mut self, first: u64, hashes: &[Digest]) -> Result<(), StorageFailure> {
        for (position, hash) in (first..).zip(hashes) {
            let position = number(position).map_err(failed)?;
            self.add(&HASHES, (position, hash.as_bytes())).map_err(failed)?;
        }
        Ok(())
    }

    fn unsealed(&self) -> u64 {
        self.1.now.get()
    }

    fn put_checkpoint(&mut self, size: u64, note: &str) -> Result<(), StorageFailure> {
        self.1.now.set(0);
        self.write_last(
            "INSERT INTO ledger_checkpoint (only_one, size, note) VALUES (1, $1, $2)
             ON CONFLICT (only_one) DO UPDATE SET size = excluded.size, note = excluded.note",
            (number(size).map_err(failed)?, note),
        )
        .map_err(failed)?;
        if let Some(tip) = self.0.known_tip() {
            self.0.learn_tip(&Tip { checkpoint: Some((size, note.to_owned())), ..tip });
        }
        Ok(())
    }
}
