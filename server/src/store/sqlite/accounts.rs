//! Accounts.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, LoginName};
use countersign_server_core::accounts::{Account, AccountKey, AccountRead, AccountState, AccountStore};
use countersign_server_core::store::StoreError;
use rusqlite::{Connection, Row};

use super::rows::{corrupt, json, optional, parsed, time, to_json};
use super::transaction::SqliteTransaction;
use super::unavailable;
use super::view::SqliteView;

struct Columns {
    name: String,
    state: String,
    roles: String,
    certificate: Option<Vec<u8>>,
    primary_key: Option<String>,
    signing_keys: Option<String>,
}

const COLUMNS: &str = "name, state, roles, certificate, primary_key, signing_keys";

impl Columns {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            name: row.get("name")?,
            state: row.get("state")?,
            roles: row.get("roles")?,
            certificate: row.get("certificate")?,
            primary_key: row.get("primary_key")?,
            signing_keys: row.get("signing_keys")?,
        })
    }

    fn account(self, connection: &Connection) -> Result<Account, StoreError> {
        let key = match (self.certificate, &self.primary_key, &self.signing_keys) {
            (Some(certificate), Some(primary), Some(signing)) => Some(AccountKey {
                certificate,
                primary: parsed(primary, "an account's primary key")?,
                signing: json(signing, "an account's signing keys")?,
            }),
            _ => None,
        };
        let state = match (self.state.as_str(), key) {
            ("invited", _) => AccountState::Invited,
            ("active", Some(key)) => AccountState::Active(key),
            ("suspended", Some(key)) => AccountState::Suspended(key),
            ("closed", _) => AccountState::Closed,
            _ => return Err(corrupt("an account's state")),
        };
        let logins: Vec<String> = connection
            .prepare_cached("SELECT login FROM account_logins WHERE account = ?1 ORDER BY login")
            .and_then(|mut statement| statement.query_map([&self.name], |row| row.get(0))?.collect())
            .map_err(unavailable)?;
        let logins =
            logins.iter().map(|login| parsed(login, "a login name")).collect::<Result<Vec<_>, _>>()?;
        Ok(Account {
            name: parsed(&self.name, "an account's name")?,
            state,
            logins,
            roles: json(&self.roles, "an account's roles")?,
        })
    }
}

fn account(connection: &Connection, name: &AccountName) -> Result<Option<Account>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM accounts WHERE name = ?1");
    let row = connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_row([name.as_str()], Columns::read));
    optional(row)?.map(|columns| columns.account(connection)).transpose()
}

impl AccountRead for SqliteTransaction<'_> {
    fn account(&self, name: &AccountName) -> Result<Option<Account>, StoreError> {
        account(self.connection(), name)
    }
}

impl AccountRead for SqliteView<'_> {
    fn account(&self, name: &AccountName) -> Result<Option<Account>, StoreError> {
        account(self.connection()?, name)
    }
}

impl AccountStore for SqliteTransaction<'_> {
    fn accounts_of_login(&self, login: &LoginName) -> Result<Vec<Account>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM accounts JOIN account_logins ON account = name
             WHERE login = ?1 AND state = 'active' ORDER BY name"
        );
        let rows = self.read_all(&sql, [login.as_str()], Columns::read)?;
        rows.into_iter().map(|columns| columns.account(self.connection())).collect()
    }

    fn add_account(&self, account: &Account, at: Timestamp) -> Result<bool, StoreError> {
        let added = self.write(
            "INSERT INTO accounts (name, state, roles, created_at) VALUES (?1, 'invited', ?2, ?3)
             ON CONFLICT DO NOTHING",
            (account.name.as_str(), to_json(&account.roles)?, time(at)),
        )?;
        if added == 0 {
            return Ok(false);
        }
        for login in &account.logins {
            self.write(
                "INSERT INTO account_logins (account, login) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                (account.name.as_str(), login.as_str()),
            )?;
        }
        Ok(true)
    }

    fn bind_account(&self, name: &AccountName, key: &AccountKey, at: Timestamp) -> Result<bool, StoreError> {
        let bound = self.write(
            "UPDATE accounts SET state = 'active', certificate = ?2, primary_key = ?3, signing_keys = ?4, key_at = ?5
             WHERE name = ?1 AND state = 'invited'",
            (name.as_str(), &key.certificate, key.primary.to_string(), to_json(&key.signing)?, time(at)),
        )?;
        Ok(bound == 1)
    }
}
