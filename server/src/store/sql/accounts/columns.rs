//! From rows to accounts and their keys.

use countersign_protocol::clock::Timestamp;
use countersign_server_core::accounts::{Account, AccountKey, AccountState};
use countersign_server_core::store::StoreError;

use super::super::rows::{corrupt, json, parsed};
use super::super::{Reading, Row, Sql};

pub(super) const COLUMNS: &str = "name, state, roles, certificate, short_certificate, primary_key, signing_keys, \
                       authentication_key, key_card, key_at, suspended_at, seen_at, recovery";

/// A row of `accounts`.
pub(super) struct Columns {
    name: String,
    state: String,
    roles: String,
    key: Option<KeyColumns>,
    suspended_at: Option<i64>,
    seen_at: Option<i64>,
    recovery: Option<String>,
}

/// A key, wherever it lies.
pub(super) struct KeyColumns {
    pub(super) certificate: Vec<u8>,
    pub(super) short: Option<Vec<u8>>,
    pub(super) primary: String,
    pub(super) signing: String,
    pub(super) authentication: Option<String>,
    pub(super) card: Option<String>,
    pub(super) registered_at: i64,
}

impl Columns {
    pub(super) fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let certificate: Option<Vec<u8>> = row.get("certificate")?;
        let key = match certificate {
            None => None,
            Some(_) => Some(KeyColumns::read(row)?),
        };
        Ok(Self {
            name: row.get("name")?,
            state: row.get("state")?,
            roles: row.get("roles")?,
            key,
            suspended_at: row.get("suspended_at")?,
            seen_at: row.get("seen_at")?,
            recovery: row.get("recovery")?,
        })
    }

    pub(super) fn account<D: Reading>(self, sql: &Sql<D>) -> Result<Account, StoreError> {
        let key = self.key.map(KeyColumns::key).transpose()?;
        let state = match (self.state.as_str(), key, self.suspended_at) {
            ("closed", _, _) => AccountState::Retired,
            ("invited", None, Some(_)) => AccountState::Suspended(None),
            ("invited", None, None) => AccountState::Pending,
            ("active", Some(key), Some(_)) => AccountState::Suspended(Some(key)),
            ("active", Some(key), None) => AccountState::Active(key),
            _ => return Err(corrupt("an account's state")),
        };
        let logins: Vec<String> = sql.read_all(
            "SELECT login FROM account_logins WHERE account = $1 ORDER BY login",
            [&self.name],
            |row| row.get(0),
        )?;
        let logins =
            logins.iter().map(|login| parsed(login, "a login name")).collect::<Result<Vec<_>, _>>()?;
        Ok(Account {
            name: parsed(&self.name, "an account's name")?,
            state,
            logins,
            roles: json(&self.roles, "an account's roles")?,
            seen: self.seen_at.map(Timestamp::from_seconds),
            recovery: self.recovery.map(|id| parsed(&id, "an account's recovery")).transpose()?,
            second: sql.second_key(&self.name)?,
            emergency: sql.live_emergency_code(&self.name)?,
        })
    }
}

impl KeyColumns {
    /// Of a row of `accounts` or `second_keys`.
    pub(super) fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            certificate: row.get("certificate")?,
            short: row.get("short_certificate")?,
            primary: row.get("primary_key")?,
            signing: row.get("signing_keys")?,
            authentication: row.get("authentication_key")?,
            card: row.get("key_card")?,
            registered_at: row.get("key_at")?,
        })
    }

    pub(super) fn key(self) -> Result<AccountKey, StoreError> {
        Ok(AccountKey {
            short: self.short.unwrap_or_else(|| self.certificate.clone()),
            certificate: self.certificate,
            primary: parsed(&self.primary, "an account's primary key")?,
            signing: json(&self.signing, "an account's signing keys")?,
            authentication: self
                .authentication
                .map(|key| parsed(&key, "an account's authentication key"))
                .transpose()?,
            card: self.card.map(|card| parsed(&card, "the card of an account's key")).transpose()?,
            registered: Timestamp::from_seconds(self.registered_at),
        })
    }
}

impl<D: Reading> Sql<D> {
    fn second_key(&self, account: &str) -> Result<Option<AccountKey>, StoreError> {
        let key = self.read(
            "SELECT certificate, short_certificate, primary_key, signing_keys, authentication_key, key_card, key_at
             FROM second_keys WHERE account = $1",
            [account],
            KeyColumns::read,
        )?;
        key.map(KeyColumns::key).transpose()
    }
}
