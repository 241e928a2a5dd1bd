//! Offline uses.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, Digest, Fingerprint};
use countersign_server_core::keys::Owner;
use countersign_server_core::offline_use::{LiftedBar, OfflineRead, OfflineStore};
use countersign_server_core::store::StoreError;

use super::rows::{count, number, time};
use super::{Reading, Sql, Writing};

impl<D: Reading> OfflineRead for Sql<D> {
    fn offline_use(&self, instance: &Fingerprint, statement: &Digest) -> Result<Option<u64>, StoreError> {
        let place = self.read(
            "SELECT place FROM offline_uses WHERE instance = $1 AND statement = $2",
            (instance.to_string(), statement.as_bytes()),
            |row| row.get::<i64>(0),
        )?;
        place.map(|place| count(place, "an offline use's place")).transpose()
    }

    fn entries_of_statement(&self, statement: &Digest) -> Result<Vec<u64>, StoreError> {
        let places: Vec<i64> = self.read_all(
            "SELECT place FROM ledger_evidence WHERE digest = $1 ORDER BY place LIMIT 16",
            [statement.as_bytes()],
            |row| row.get(0),
        )?;
        places.into_iter().map(|place| count(place, "a ledger place")).collect()
    }

    fn suspended_since(&self, account: &AccountName) -> Result<Option<Timestamp>, StoreError> {
        let since =
            self.read("SELECT suspended_at FROM accounts WHERE name = $1", [account.as_str()], |row| {
                row.get::<Option<i64>>(0)
            })?;
        Ok(since.flatten().map(Timestamp::from_seconds))
    }

    fn lifted_bar(&self, on: &Owner, at: Timestamp) -> Result<Option<LiftedBar>, StoreError> {
        let (kind, name) = on.columns();
        let of = Timestamp::from_seconds;
        self.read(
            "SELECT from_at, until_at FROM bars
             WHERE owner_kind = $1 AND owner = $2 AND from_at <= $3 AND $3 < until_at LIMIT 1",
            (kind, name, time(at)),
            |row| Ok(LiftedBar { from: of(row.get(0)?), until: of(row.get(1)?) }),
        )
    }
}

impl<D: Writing> OfflineStore for Sql<D> {
    fn note_offline_use(
        &self,
        instance: &Fingerprint,
        statement: &Digest,
        place: u64,
    ) -> Result<bool, StoreError> {
        let noted = self.write(
            "INSERT INTO offline_uses (instance, statement, place) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            (instance.to_string(), statement.as_bytes(), number(place)?),
        )?;
        Ok(noted == 1)
    }

    fn count_offline_use(
        &self,
        roster: &Digest,
        account: &AccountName,
        number: u32,
    ) -> Result<bool, StoreError> {
        let counted = self.write(
            "INSERT INTO offline_numbers (roster, account, number) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            (roster.as_bytes(), account.as_str(), number),
        )?;
        Ok(counted == 1)
    }
}
