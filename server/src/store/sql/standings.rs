//! Rows as the ledger speaks of them: every column that decides something, whoever wrote it.

use std::collections::{BTreeMap, BTreeSet};

use countersign_protocol::ids::Digest;
use countersign_server_core::standing::{Collection, Standing, StandingRead, Subject};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, number};
use super::{Reading, Row, Sql};

/// A column, and how it is read.
#[derive(Clone, Copy)]
enum Column {
    Text(&'static str),
    Bytes(&'static str),
    /// A time that only is there or not.
    Whether(&'static str),
}

use Column::{Bytes, Text, Whether};

const ACCOUNT: &[Column] = &[
    Text("state"),
    Text("roles"),
    Bytes("certificate"),
    Text("primary_key"),
    Text("signing_keys"),
    Text("key_card"),
    Bytes("short_certificate"),
    Text("authentication_key"),
    Whether("suspended_at"),
    Whether("retired_at"),
    Text("recovery"),
    Text("member_of"),
];

const SECOND_KEY: &[Column] = &[
    Bytes("certificate"),
    Bytes("short_certificate"),
    Text("primary_key"),
    Text("signing_keys"),
    Text("authentication_key"),
    Text("key_card"),
];

const EMERGENCY_CODE: &[Column] = &[Bytes("salt"), Bytes("digest"), Whether("used_at"), Whether("ended_at")];

const APPLICATION: &[Column] = &[Text("fingerprint"), Bytes("certificate"), Text("state"), Text("developer")];

const DOCUMENTS: &[Column] = &[Text("owner"), Text("schema"), Text("state")];

const INSTANCE: &[Column] = &[
    Text("application"),
    Bytes("certificate"),
    Text("signing_key"),
    Text("second_key"),
    Bytes("second_certificate"),
    Text("key_words"),
    Text("state"),
    Whether("forked_at"),
    Text("successor"),
];

/// The table, its key and its columns. Of policy documents every change is a row of its own, which lies beside them.
const fn table(collection: Collection) -> (&'static str, &'static str, &'static [Column]) {
    match collection {
        Collection::Account => ("accounts", "name", ACCOUNT),
        Collection::Application => ("applications", "name", APPLICATION),
        Collection::Documents => ("collections", "name", DOCUMENTS),
        Collection::Instance => ("instances", "fingerprint", INSTANCE),
        Collection::Policy => ("policy_changes", "name", &[]),
    }
}

impl Column {
    const fn name(self) -> &'static str {
        match self {
            Text(name) | Bytes(name) | Whether(name) => name,
        }
    }

    fn put(self, prefix: &str, row: &Row<'_>, standing: &mut Standing) -> Result<(), StoreError> {
        let shown = format!("{prefix}{}", self.name().replace('_', "-"));
        match self {
            Text(name) => standing.text(&shown, row.get::<Option<String>>(name)?.as_deref()),
            Bytes(name) => standing.bytes(&shown, row.get::<Option<Vec<u8>>>(name)?.as_deref()),
            Whether(name) => {
                standing.text(&shown, row.get::<Option<i64>>(name)?.map(|_| "yes"));
            }
        }
        Ok(())
    }
}

/// The key, and the columns behind it.
fn names(key: &str, columns: &[Column]) -> String {
    let columns = columns.iter().map(|column| column.name());
    [key].into_iter().chain(columns).collect::<Vec<_>>().join(", ")
}

impl<D: Reading> Sql<D> {
    /// The rows of `table` whose `key` is in this range, by that key.
    fn rows_in(
        &self,
        (table, key, columns): (&str, &str, &[Column]),
        prefix: &str,
        (first, last): (&str, &str),
        into: &mut BTreeMap<String, Standing>,
    ) -> Result<(), StoreError> {
        let sql = format!("SELECT {} FROM {table} WHERE {key} >= $1 AND {key} <= $2", names(key, columns));
        let rows = self.read_all(&sql, (first, last), |row| {
            let mut part = Standing::default();
            columns.iter().try_for_each(|column| column.put(prefix, row, &mut part))?;
            Ok((row.get::<String>(key)?, part))
        })?;
        for (name, part) in rows {
            if let Some(standing) = into.get_mut(&name) {
                standing.add(part);
            }
        }
        Ok(())
    }

    /// What lies in other tables of accounts in this range.
    fn beside_accounts(
        &self,
        range: (&str, &str),
        into: &mut BTreeMap<String, Standing>,
    ) -> Result<(), StoreError> {
        self.rows_in(("second_keys", "account", SECOND_KEY), "second-", range, into)?;
        self.rows_in(("emergency_codes", "account", EMERGENCY_CODE), "emergency-", range, into)?;
        let keys = "SELECT owner, fingerprint, revoked_at FROM known_keys
             WHERE owner_kind = 'account' AND owner >= $1 AND owner <= $2 ORDER BY owner, fingerprint";
        self.listed(keys, "known-keys", range, into, |row| {
            let revoked = if row.get::<Option<i64>>(2)?.is_some() { "-revoked" } else { "" };
            Ok(format!("{}{revoked}", row.get::<String>(1)?))
        })?;
        let revoked = "SELECT account, primary_key, certificate, signing_keys, registered_at, revoked_at FROM revoked_keys
             WHERE account >= $1 AND account <= $2 ORDER BY account, primary_key";
        self.listed(revoked, "revoked-keys", range, into, |row| {
            let (certificate, keys) = (Digest::of(&row.get::<Vec<u8>>(2)?), row.get::<String>(3)?);
            let (from, until) = (row.get::<i64>(4)?, row.get::<i64>(5)?);
            Ok(format!("{}={certificate}:{keys}:{from}:{until}", row.get::<String>(1)?))
        })?;
        let bars = "SELECT owner, from_at, until_at FROM bars
             WHERE owner_kind = 'account' AND owner >= $1 AND owner <= $2 ORDER BY owner, from_at, until_at";
        self.listed(bars, "bars", range, into, |row| {
            Ok(format!("{}:{}", row.get::<i64>(1)?, row.get::<i64>(2)?))
        })?;
        let logins = "SELECT account, login FROM account_logins
             WHERE account >= $1 AND account <= $2 ORDER BY account, login";
        self.listed(logins, "logins", range, into, |row| row.get::<String>(1))
    }

    /// What lies in other tables of applications in this range.
    fn beside_applications(
        &self,
        range: (&str, &str),
        into: &mut BTreeMap<String, Standing>,
    ) -> Result<(), StoreError> {
        let versions = "SELECT application, version, digest, retired_at FROM application_versions
             WHERE application >= $1 AND application <= $2 ORDER BY application, version";
        self.listed(versions, "versions", range, into, |row| {
            let digest = bytes(&row.get::<Vec<u8>>(2)?, "a version's digest").map(Digest::from_bytes)?;
            let retired = if row.get::<Option<i64>>(3)?.is_some() { "-retired" } else { "" };
            Ok(format!("{}={digest}{retired}", row.get::<String>(1)?))
        })
    }

    /// What lies in other tables of collections in this range.
    fn beside_documents(
        &self,
        range: (&str, &str),
        into: &mut BTreeMap<String, Standing>,
    ) -> Result<(), StoreError> {
        let administrators = "SELECT collection, account FROM collection_administrators
             WHERE collection >= $1 AND collection <= $2 ORDER BY collection, account";
        self.listed(administrators, "administrators", range, into, |row| row.get::<String>(1))?;
        let grants = "SELECT collection, account, access FROM collection_grants
             WHERE collection >= $1 AND collection <= $2 ORDER BY collection, account, access";
        self.listed(grants, "grants", range, into, |row| {
            Ok(format!("{}={}", row.get::<String>(1)?, row.get::<String>(2)?))
        })
    }

    /// Every change of policy documents in this range.
    fn beside_policies(
        &self,
        range: (&str, &str),
        into: &mut BTreeMap<String, Standing>,
    ) -> Result<(), StoreError> {
        let changes = "SELECT name, epoch, version, digest, text FROM policy_changes
             WHERE name >= $1 AND name <= $2 ORDER BY name, version";
        self.listed(changes, "changes", range, into, |row| {
            let digest = row.get::<Option<Vec<u8>>>(3)?.unwrap_or_default();
            let text = row.get::<Option<String>>(4)?.map(|text| Digest::of(text.as_bytes()).to_string());
            let (epoch, version) = (row.get::<i64>(1)?, row.get::<i64>(2)?);
            Ok(format!("{epoch}:{version}:{}:{}", Digest::of(&digest), text.unwrap_or_default()))
        })
    }

    /// A list for each row: its name first, then what `item` makes of the rest.
    fn listed(
        &self,
        sql: &str,
        column: &str,
        range: (&str, &str),
        into: &mut BTreeMap<String, Standing>,
        item: impl Fn(&Row<'_>) -> Result<String, StoreError>,
    ) -> Result<(), StoreError> {
        let items = self.read_all(sql, range, |row| Ok((row.get::<String>(0)?, item(row)?)))?;
        let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, item) in items {
            lists.entry(name).or_default().push(item);
        }
        for (name, list) in lists {
            if let Some(standing) = into.get_mut(&name) {
                standing.text(column, Some(&list.join(" ")));
            }
        }
        Ok(())
    }

    fn beside(
        &self,
        collection: Collection,
        range: (&str, &str),
        into: &mut BTreeMap<String, Standing>,
    ) -> Result<(), StoreError> {
        match collection {
            Collection::Account => self.beside_accounts(range, into),
            Collection::Application => self.beside_applications(range, into),
            Collection::Documents => self.beside_documents(range, into),
            Collection::Instance => Ok(()),
            Collection::Policy => self.beside_policies(range, into),
        }
    }
}

impl<D: Reading> StandingRead for Sql<D> {
    fn standing(&self, of: &Subject) -> Result<Option<Standing>, StoreError> {
        let (table, key, columns) = table(of.collection);
        let sql = format!("SELECT {} FROM {table} WHERE {key} = $1", names(key, columns));
        let found = self.read(&sql, [of.name.as_str()], |row| {
            let mut standing = Standing::default();
            columns.iter().try_for_each(|column| column.put("", row, &mut standing))?;
            Ok(standing)
        })?;
        let Some(standing) = found else { return Ok(None) };
        let mut one = BTreeMap::from([(of.name.clone(), standing)]);
        self.beside(of.collection, (&of.name, &of.name), &mut one)?;
        Ok(one.remove(&of.name))
    }

    fn standings_after(
        &self,
        collection: Collection,
        after: &str,
        most: u64,
    ) -> Result<Vec<(String, Standing)>, StoreError> {
        let (table, key, columns) = table(collection);
        let sql = format!(
            "SELECT DISTINCT {0} FROM {table} WHERE {key} > $1 ORDER BY {key} LIMIT $2",
            names(key, columns)
        );
        let rows = self.read_all(&sql, (after, number(most)?), |row| {
            let mut standing = Standing::default();
            columns.iter().try_for_each(|column| column.put("", row, &mut standing))?;
            Ok((row.get::<String>(key)?, standing))
        })?;
        let mut found: BTreeMap<String, Standing> = rows.into_iter().collect();
        if let (Some(first), Some(last)) = (found.keys().next().cloned(), found.keys().next_back().cloned()) {
            self.beside(collection, (&first, &last), &mut found)?;
        }
        Ok(found.into_iter().collect())
    }

    fn row_names(&self, collection: Collection) -> Result<(BTreeSet<String>, usize), StoreError> {
        let (table, key, _) = table(collection);
        let sql = format!("SELECT DISTINCT {key} FROM {table}");
        let names = self.read_all(&sql, (), |row| Ok(row.get::<String>(0).ok()))?;
        let all = names.len();
        let legible: BTreeSet<String> = names.into_iter().flatten().collect();
        let illegible = all - legible.len();
        Ok((legible, illegible))
    }
}
