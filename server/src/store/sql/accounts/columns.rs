//! From rows to accounts and their keys.

use std::sync::LazyLock;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::limits;
use countersign_protocol::roster::EmergencyVerifier;
use countersign_server_core::accounts::{Account, AccountKey, AccountState};
use countersign_server_core::store::StoreError;

use super::super::rows::{corrupt, json, parsed};
use super::super::{Row, emergency};

/// Everything about an account in one question: a database may be far away, and each login asks twice. There is at most one
/// second key and one emergency code of each.
pub(super) const COLUMNS: &str = "name, state, roles, suspended_at, seen_at, recovery, \
    (SELECT string_agg(login, ' ' ORDER BY login) FROM account_logins WHERE account_logins.account = name), \
    accounts.certificate, accounts.short_certificate, accounts.primary_key, accounts.signing_keys, \
    accounts.authentication_key, accounts.key_card, accounts.key_at, \
    second_keys.certificate, second_keys.short_certificate, second_keys.primary_key, second_keys.signing_keys, \
    second_keys.authentication_key, second_keys.key_card, second_keys.key_at, \
    salt, digest, tries, ended_at, used_at, \
    (SELECT count(*) FROM emergency_uses WHERE emergency_uses.account = name), member_of";

/// Where they are.
pub(super) const TABLES: &str = "accounts LEFT JOIN second_keys ON second_keys.account = name \
                                 LEFT JOIN emergency_codes ON emergency_codes.account = name";

/// The keys of one that is active, and nothing else of it: these columns are all that the API may see of accounts
/// (`server/src/store/postgres/grants.rs`).
pub(super) const KEYS: &str = "SELECT accounts.certificate, accounts.short_certificate, accounts.primary_key, \
    accounts.signing_keys, accounts.authentication_key, accounts.key_card, accounts.key_at, \
    second_keys.certificate, second_keys.short_certificate, second_keys.primary_key, second_keys.signing_keys, \
    second_keys.authentication_key, second_keys.key_card, second_keys.key_at \
    FROM accounts LEFT JOIN second_keys ON second_keys.account = name \
    WHERE name = $1 AND state = 'active' AND suspended_at IS NULL";

/// One by its name.
pub(in super::super) fn one() -> &'static str {
    static SQL: LazyLock<String> =
        LazyLock::new(|| format!("SELECT {COLUMNS} FROM {TABLES} WHERE name = $1"));
    &SQL
}

/// Where in [`COLUMNS`] each begins.
const LOGINS: usize = 6;
const FIRST_KEY: usize = 7;
const SECOND_KEY: usize = 14;
const CODE: usize = 21;
const GROUPS: usize = 27;

/// A row of `accounts`.
pub(super) struct Columns {
    name: String,
    state: String,
    roles: String,
    key: Option<KeyColumns>,
    suspended_at: Option<i64>,
    seen_at: Option<i64>,
    recovery: Option<String>,
    logins: Option<String>,
    second: Option<KeyColumns>,
    code: CodeColumns,
    groups: Option<String>,
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
        Ok(Self {
            name: row.get(0)?,
            state: row.get(1)?,
            roles: row.get(2)?,
            suspended_at: row.get(3)?,
            seen_at: row.get(4)?,
            recovery: row.get(5)?,
            logins: row.get(LOGINS)?,
            key: KeyColumns::at(row, FIRST_KEY)?,
            second: KeyColumns::at(row, SECOND_KEY)?,
            code: CodeColumns::at(row, CODE)?,
            groups: row.get(GROUPS)?,
        })
    }

    pub(super) fn account(self) -> Result<Account, StoreError> {
        let key = self.key.map(KeyColumns::key).transpose()?;
        let state = match (self.state.as_str(), key, self.suspended_at) {
            ("closed", _, _) => AccountState::Retired,
            ("invited", None, Some(_)) => AccountState::Suspended(None),
            ("invited", None, None) => AccountState::Pending,
            ("active", Some(key), Some(_)) => AccountState::Suspended(Some(key)),
            ("active", Some(key), None) => AccountState::Active(key),
            _ => return Err(corrupt("an account's state")),
        };
        let logins = self.logins.as_deref().into_iter().flat_map(|logins| logins.split(' '));
        let logins = logins.map(|login| parsed(login, "a login name")).collect::<Result<Vec<_>, _>>()?;
        let groups = self.groups.map(|groups| json(&groups, "an account's groups")).transpose()?;
        let (emergency, emergency_news) = self.code.read()?;
        Ok(Account {
            name: parsed(&self.name, "an account's name")?,
            state,
            logins,
            roles: json(&self.roles, "an account's roles")?,
            groups: groups.unwrap_or_default(),
            seen: self.seen_at.map(Timestamp::from_seconds),
            recovery: self.recovery.map(|id| parsed(&id, "an account's recovery")).transpose()?,
            second: self.second.map(KeyColumns::key).transpose()?,
            emergency,
            emergency_news,
        })
    }
}

impl KeyColumns {
    /// The seven columns from `first` on; none where there is no certificate.
    fn at(row: &Row<'_>, first: usize) -> Result<Option<Self>, StoreError> {
        let Some(certificate) = row.get::<Option<Vec<u8>>>(first)? else { return Ok(None) };
        Ok(Some(Self {
            certificate,
            short: row.get(first + 1)?,
            primary: row.get(first + 2)?,
            signing: row.get(first + 3)?,
            authentication: row.get(first + 4)?,
            card: row.get(first + 5)?,
            registered_at: row.get(first + 6)?,
        }))
    }

    /// As [`KEYS`] has them.
    pub(super) fn both(row: &Row<'_>) -> Result<(Option<Self>, Option<Self>), StoreError> {
        Ok((Self::at(row, 0)?, Self::at(row, SECOND_KEY - FIRST_KEY)?))
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

/// An emergency code, and whether any was used.
struct CodeColumns {
    verifier: Option<(Vec<u8>, Vec<u8>)>,
    tries: Option<i64>,
    ended_at: Option<i64>,
    used_at: Option<i64>,
    uses: i64,
}

impl CodeColumns {
    /// The six columns from `first` on.
    fn at(row: &Row<'_>, first: usize) -> Result<Self, StoreError> {
        let (salt, digest): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.get(first)?, row.get(first + 1)?);
        Ok(Self {
            verifier: salt.zip(digest),
            tries: row.get(first + 2)?,
            ended_at: row.get(first + 3)?,
            used_at: row.get(first + 4)?,
            uses: row.get(first + 5)?,
        })
    }

    /// What is kept of a code that can be used; and whether there may be something to tell of: one that ended, or a use.
    fn read(self) -> Result<(Option<EmergencyVerifier>, bool), StoreError> {
        let Self { verifier, tries, ended_at, used_at, uses } = self;
        let open = verifier.filter(|_| used_at.is_none());
        let is_over =
            ended_at.is_some() || tries.is_some_and(|tries| tries >= i64::from(limits::EMERGENCY_TRIES));
        let news = uses > 0 || open.is_some() && is_over;
        Ok((open.filter(|_| !is_over).map(emergency::verifier).transpose()?, news))
    }
}
