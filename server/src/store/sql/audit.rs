//! What is kept from one audit to the next.

use std::collections::BTreeMap;

use countersign_protocol::ids::Digest;
use countersign_server_core::audit::{AuditRead, AuditStore, Said, StateRow};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, count, number};
use super::{Kind, Reading, Sql, Table, Writing};

static SAID: Table = Table {
    name: "audit_said",
    columns: &[("row_name", Kind::Text), ("standing", Kind::Text), ("place", Kind::Integer)],
    otherwise: "ON CONFLICT (row_name) DO UPDATE SET standing = excluded.standing, place = excluded.place",
};

impl<D: Reading> AuditRead for Sql<D> {
    fn audit_state(&self) -> Result<Option<StateRow>, StoreError> {
        let row = self.read("SELECT next, root, kept, mac FROM audit_state", (), |row| {
            Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?, row.get::<String>(2)?, row.get::<Vec<u8>>(3)?))
        })?;
        let Some((next, root, kept, mac)) = row else { return Ok(None) };
        let root = bytes(&root, "an audit's root").map(Digest::from_bytes)?;
        Ok(Some(StateRow { next: count(next, "an audit's place")?, root, kept, mac }))
    }

    fn audit_said(&self) -> Result<BTreeMap<String, Said>, StoreError> {
        let rows = self.read_all("SELECT row_name, standing, place FROM audit_said", (), |row| {
            Ok((row.get::<String>(0)?, row.get::<Option<String>>(1)?, row.get::<i64>(2)?))
        })?;
        rows.into_iter()
            .map(|(name, standing, place)| {
                Ok((name, Said { standing, place: count(place, "a ledger place")? }))
            })
            .collect()
    }
}

impl<D: Writing> AuditStore for Sql<D> {
    fn forget_audit(&self) -> Result<(), StoreError> {
        self.write("DELETE FROM audit_said", ())?;
        self.write("DELETE FROM audit_state", ())?;
        Ok(())
    }

    fn forget_audit_said(&self, row: &str) -> Result<(), StoreError> {
        self.write_unseen("DELETE FROM audit_said WHERE row_name = $1", [row])
    }

    fn put_audit_said(&self, row: &str, said: &Said) -> Result<(), StoreError> {
        self.add(&SAID, (row, &said.standing, number(said.place)?))
    }

    fn put_audit_state(&self, next: u64, root: &Digest, kept: &str, mac: &[u8]) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO audit_state (only_one, next, root, kept, mac) VALUES (1, $1, $2, $3, $4)
             ON CONFLICT (only_one) DO UPDATE
             SET next = excluded.next, root = excluded.root, kept = excluded.kept, mac = excluded.mac",
            (number(next)?, root.as_bytes(), kept, mac),
        )?;
        Ok(())
    }
}
