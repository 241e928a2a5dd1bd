//! Offline uses.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, Digest, Fingerprint};
use countersign_server_core::keys::Owner;
use countersign_server_core::offline_use::{LiftedBar, OfflineRead, OfflineStore};
use countersign_server_core::store::StoreError;
use rusqlite::Connection;

use super::rows::{count, number, optional, time};
use super::transaction::SqliteTransaction;
use super::unavailable;
use super::view::SqliteView;

fn offline_use(
    connection: &Connection,
    instance: &Fingerprint,
    statement: &Digest,
) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT place FROM offline_uses WHERE instance = ?1 AND statement = ?2";
    let place = connection.prepare_cached(sql).and_then(|mut prepared| {
        prepared.query_row((instance.to_string(), statement.as_bytes()), |row| row.get::<_, i64>(0))
    });
    optional(place)?.map(|place| count(place, "an offline use's place")).transpose()
}

fn entries_of_statement(connection: &Connection, statement: &Digest) -> Result<Vec<u64>, StoreError> {
    let sql = "SELECT place FROM ledger_evidence WHERE digest = ?1 ORDER BY place LIMIT 16";
    let places: Vec<i64> = connection
        .prepare_cached(sql)
        .and_then(|mut prepared| prepared.query_map([statement.as_bytes()], |row| row.get(0))?.collect())
        .map_err(unavailable)?;
    places.into_iter().map(|place| count(place, "a ledger place")).collect()
}

fn suspended_since(connection: &Connection, account: &AccountName) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT suspended_at FROM accounts WHERE name = ?1";
    let since = connection
        .prepare_cached(sql)
        .and_then(|mut prepared| prepared.query_row([account.as_str()], |row| row.get::<_, Option<i64>>(0)));
    Ok(optional(since)?.flatten().map(Timestamp::from_seconds))
}

fn lifted_bar(connection: &Connection, on: &Owner, at: Timestamp) -> Result<Option<LiftedBar>, StoreError> {
    let (kind, name) = on.columns();
    let sql = "SELECT from_at, until_at FROM bars
               WHERE owner_kind = ?1 AND owner = ?2 AND from_at <= ?3 AND ?3 < until_at LIMIT 1";
    let bar = connection.prepare_cached(sql).and_then(|mut prepared| {
        prepared.query_row((kind, name, time(at)), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
    });
    let of = Timestamp::from_seconds;
    Ok(optional(bar)?.map(|(from, until)| LiftedBar { from: of(from), until: of(until) }))
}

impl OfflineRead for SqliteTransaction<'_> {
    fn offline_use(&self, instance: &Fingerprint, statement: &Digest) -> Result<Option<u64>, StoreError> {
        offline_use(self.connection(), instance, statement)
    }

    fn entries_of_statement(&self, statement: &Digest) -> Result<Vec<u64>, StoreError> {
        entries_of_statement(self.connection(), statement)
    }

    fn suspended_since(&self, account: &AccountName) -> Result<Option<Timestamp>, StoreError> {
        suspended_since(self.connection(), account)
    }

    fn lifted_bar(&self, on: &Owner, at: Timestamp) -> Result<Option<LiftedBar>, StoreError> {
        lifted_bar(self.connection(), on, at)
    }
}

impl OfflineRead for SqliteView<'_> {
    fn offline_use(&self, instance: &Fingerprint, statement: &Digest) -> Result<Option<u64>, StoreError> {
        offline_use(self.connection()?, instance, statement)
    }

    fn entries_of_statement(&self, statement: &Digest) -> Result<Vec<u64>, StoreError> {
        entries_of_statement(self.connection()?, statement)
    }

    fn suspended_since(&self, account: &AccountName) -> Result<Option<Timestamp>, StoreError> {
        suspended_since(self.connection()?, account)
    }

    fn lifted_bar(&self, on: &Owner, at: Timestamp) -> Result<Option<LiftedBar>, StoreError> {
        lifted_bar(self.connection()?, on, at)
    }
}

impl OfflineStore for SqliteTransaction<'_> {
    fn note_offline_use(
        &self,
        instance: &Fingerprint,
        statement: &Digest,
        place: u64,
    ) -> Result<bool, StoreError> {
        let noted = self.write(
            "INSERT INTO offline_uses (instance, statement, place) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
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
            "INSERT INTO offline_numbers (roster, account, number) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            (roster.as_bytes(), account.as_str(), number),
        )?;
        Ok(counted == 1)
    }
}
