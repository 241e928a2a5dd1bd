//! Accounts.

mod columns;

use countersign_protocol::approval::Approvers;
use countersign_protocol::certificate;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, Fingerprint, LoginName};
use countersign_server_core::accounts::{self, Account, AccountKey, AccountRead, AccountStore, RevokedKey};
use countersign_server_core::emergency::EmergencyStore as _;
use countersign_server_core::store::StoreError;

pub(super) use self::columns::one;
use self::columns::{COLUMNS, Columns, KeyColumns, TABLES};
use super::rows::{corrupt, number, time, to_json};
use super::{Reading, Sql, Writing};

/// Somebody who is active has the role `$3`, as JSON spells it, be it not the account `$1`.
const ANOTHER_HAS_ROLE: &str = "EXISTS (
    SELECT 1 FROM accounts AS another
    WHERE another.name <> $1 AND another.state = 'active' AND another.suspended_at IS NULL
      AND another.roles <> replace(another.roles, $3, ''))";

/// The account of the row does not count among those who are active and have the role `$3`.
const HAS_IT_NOT: &str = "(state <> 'active' OR suspended_at IS NOT NULL
    OR roles = replace(roles, $3, ''))";

impl<D: Writing> Sql<D> {
    /// Nothing that was made for the account before opens anything, or becomes its key: neither the code on paper nor one
    /// for another card, nor a registration that has begun with one.
    pub(super) fn end_codes(&self, name: &AccountName, at: Timestamp) -> Result<(), StoreError> {
        self.write(
            "UPDATE recovery_codes SET ended_at = $2
             WHERE account = $1 AND by_card <> 0 AND ended_at IS NULL",
            (name.as_str(), time(at)),
        )?;
        self.end_codes_but_for_recovery(name, at)
    }

    /// A suspension ends no card: the paper that its person threw away must not be good again after it.
    fn end_codes_but_for_recovery(&self, name: &AccountName, at: Timestamp) -> Result<(), StoreError> {
        self.end_emergency_code(name, at)?;
        self.withdraw_recovery(name, true, at)?;
        self.write(
            "UPDATE codes SET used_at = $2 WHERE account = $1 AND used_at IS NULL",
            (name.as_str(), time(at)),
        )?;
        self.write(
            "UPDATE registrations SET ended_at = $2 WHERE account = $1 AND ended_at IS NULL",
            (name.as_str(), time(at)),
        )?;
        Ok(())
    }

    /// A key is worth nothing any more, and nobody can have it again. What it signed can still be checked.
    pub(super) fn never_again(
        &self,
        name: &AccountName,
        key: &AccountKey,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO revoked_keys (primary_key, account, certificate, signing_keys, card, registered_at, revoked_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (primary_key) DO NOTHING",
            (
                key.primary.to_string(),
                name.as_str(),
                &key.certificate,
                to_json(&key.signing)?,
                key.card.map(|card| card.to_string()),
                time(key.registered),
                time(at),
            ),
        )?;
        let parts = certificate::parse(&key.certificate).map_err(|_| corrupt("an account's certificate"))?;
        for part in parts.keys() {
            self.write(
                "UPDATE known_keys SET revoked_at = $2
                 WHERE fingerprint = $3 AND owner_kind = 'account' AND owner = $1 AND revoked_at IS NULL",
                (name.as_str(), time(at), format!("{:X}", part.key().fingerprint())),
            )?;
        }
        Ok(())
    }

    fn put_logins(&self, account: &Account) -> Result<(), StoreError> {
        for login in &account.logins {
            self.write(
                "INSERT INTO account_logins (account, login) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                (account.name.as_str(), login.as_str()),
            )?;
        }
        Ok(())
    }
}

impl<D: Reading> AccountRead for Sql<D> {
    fn account(&self, name: &AccountName) -> Result<Option<Account>, StoreError> {
        let columns = self.read(one(), [name.as_str()], Columns::read)?;
        columns.map(Columns::account).transpose()
    }

    fn active_keys(&self, name: &AccountName) -> Result<Vec<AccountKey>, StoreError> {
        let found = self.read(columns::KEYS, [name.as_str()], KeyColumns::both)?;
        let keys = found.into_iter().flat_map(|(first, second)| first.into_iter().chain(second));
        keys.map(KeyColumns::key).collect()
    }

    fn has_account(&self, name: &AccountName) -> Result<bool, StoreError> {
        let found = self.read("SELECT 1 FROM accounts WHERE name = $1", [name.as_str()], |_| Ok(()))?;
        Ok(found.is_some())
    }

    fn revoked_keys(&self, name: &AccountName) -> Result<Vec<RevokedKey>, StoreError> {
        let rows = self.read_all(
            "SELECT certificate, primary_key, signing_keys, card, registered_at, revoked_at FROM revoked_keys
             WHERE account = $1 ORDER BY revoked_at DESC, registered_at DESC, primary_key",
            [name.as_str()],
            |row| {
                let key = KeyColumns {
                    certificate: row.get("certificate")?,
                    short: None,
                    primary: row.get("primary_key")?,
                    signing: row.get("signing_keys")?,
                    authentication: None,
                    card: row.get("card")?,
                    registered_at: row.get("registered_at")?,
                };
                Ok((key, row.get::<i64>("revoked_at")?))
            },
        )?;
        rows.into_iter()
            .map(|(key, at)| Ok(RevokedKey { key: key.key()?, at: Timestamp::from_seconds(at) }))
            .collect()
    }

    fn accounts_of_login(&self, login: &LoginName) -> Result<Vec<Account>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {TABLES} JOIN account_logins ON account_logins.account = name
             WHERE login = $1 AND state = 'active' AND suspended_at IS NULL ORDER BY name"
        );
        let rows = self.read_all(&sql, [login.as_str()], Columns::read)?;
        rows.into_iter().map(Columns::account).collect()
    }
}

impl<D: Writing> AccountStore for Sql<D> {
    fn accounts_after(&self, after: &str, most: u64) -> Result<Vec<Account>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM {TABLES} WHERE name > $1 ORDER BY name LIMIT $2");
        let rows = self.read_all(&sql, (after, number(most)?), Columns::read)?;
        rows.into_iter().map(Columns::account).collect()
    }

    fn active_accounts_of(&self, approvers: &Approvers) -> Result<Vec<Account>, StoreError> {
        let among = match approvers {
            Approvers::Role(_) => "roles",
            Approvers::Group(_) => "member_of",
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM {TABLES}
             WHERE {among} <> replace({among}, $1, '') AND state = 'active' AND suspended_at IS NULL ORDER BY name"
        );
        let word = to_json(&approvers.as_str())?;
        let rows = self.read_all(&sql, [word], Columns::read)?;
        rows.into_iter().map(Columns::account).collect()
    }

    fn account_certificate(&self, primary: &Fingerprint) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(
            "SELECT certificate FROM accounts WHERE primary_key = $1
             UNION ALL SELECT certificate FROM second_keys WHERE primary_key = $1
             UNION ALL SELECT certificate FROM revoked_keys WHERE primary_key = $1
             UNION ALL SELECT certificate FROM recoveries WHERE primary_key = $1",
            [primary.to_string()],
            |row| row.get(0),
        )
    }

    fn add_account(&self, account: &Account, at: Timestamp) -> Result<bool, StoreError> {
        let added = self.write(
            "INSERT INTO accounts (name, state, roles, created_at) VALUES ($1, 'invited', $2, $3)
             ON CONFLICT DO NOTHING",
            (account.name.as_str(), to_json(&account.roles)?, time(at)),
        )?;
        if added == 0 {
            return Ok(false);
        }
        self.put_logins(account)?;
        Ok(true)
    }

    fn bind_account(&self, name: &AccountName, key: &AccountKey) -> Result<bool, StoreError> {
        let bound = self.write(
            "UPDATE accounts SET state = 'active', certificate = $2, primary_key = $3, signing_keys = $4,
                                 key_card = $5, key_at = $6, short_certificate = $7, authentication_key = $8
             WHERE name = $1 AND state = 'invited' AND suspended_at IS NULL",
            (
                name.as_str(),
                &key.certificate,
                key.primary.to_string(),
                to_json(&key.signing)?,
                key.card.map(|card| card.to_string()),
                time(key.registered),
                &key.short,
                key.authentication.as_ref().map(ToString::to_string),
            ),
        )?;
        Ok(bound == 1)
    }

    fn bind_second_key(&self, name: &AccountName, key: &AccountKey) -> Result<bool, StoreError> {
        let bound = self.write(
            "INSERT INTO second_keys (account, certificate, primary_key, signing_keys, key_card, key_at,
                                      short_certificate, authentication_key)
             SELECT name, $2, $3, $4, $5, $6, $7, $8 FROM accounts
             WHERE name = $1 AND state = 'active' AND suspended_at IS NULL
             ON CONFLICT DO NOTHING",
            (
                name.as_str(),
                &key.certificate,
                key.primary.to_string(),
                to_json(&key.signing)?,
                key.card.map(|card| card.to_string()),
                time(key.registered),
                &key.short,
                key.authentication.as_ref().map(ToString::to_string),
            ),
        )?;
        Ok(bound == 1)
    }

    fn revoke_key(
        &self,
        name: &AccountName,
        key: &AccountKey,
        keep: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        // The certificate that leaves its row names a person.
        self.0.wipe_what_is_deleted()?;
        // Either the second card's, or the first one's, whose place the second one takes.
        let second = self.write(
            "DELETE FROM second_keys WHERE account = $1 AND primary_key = $2",
            (name.as_str(), key.primary.to_string()),
        )?;
        if second == 0 {
            let first = self.write(
                &format!(
                    "UPDATE accounts
                     SET (state, certificate, primary_key, signing_keys, key_card, key_at, short_certificate,
                          authentication_key) =
                         (SELECT CASE WHEN account IS NULL THEN 'invited' ELSE 'active' END, second_keys.certificate,
                                 second_keys.primary_key, second_keys.signing_keys, second_keys.key_card,
                                 second_keys.key_at, second_keys.short_certificate, second_keys.authentication_key
                          FROM (SELECT 1 AS one) AS always LEFT JOIN second_keys ON account = $1)
                     WHERE name = $1 AND primary_key = $2
                       AND ({HAS_IT_NOT} OR {ANOTHER_HAS_ROLE}
                            OR EXISTS (SELECT 1 FROM second_keys WHERE account = $1))"
                ),
                (name.as_str(), key.primary.to_string(), to_json(&keep)?),
            )?;
            if first == 0 {
                return Ok(false);
            }
            self.write("DELETE FROM second_keys WHERE account = $1", [name.as_str()])?;
        }
        // Who has the lost card may have had codes made with it.
        self.end_codes(name, at)?;
        self.never_again(name, key, at)?;
        Ok(true)
    }

    fn replace_key(
        &self,
        name: &AccountName,
        old: &AccountKey,
        new: &AccountKey,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (primary, signing) = (new.primary.to_string(), to_json(&new.signing)?);
        let card = new.card.map(|card| card.to_string());
        let authentication = new.authentication.as_ref().map(ToString::to_string);
        let (before, registered) = (old.primary.to_string(), time(new.registered));
        let values = (
            name.as_str(),
            &before,
            &new.certificate,
            &primary,
            &signing,
            &card,
            registered,
            &new.short,
            &authentication,
        );
        let columns = "certificate = $3, primary_key = $4, signing_keys = $5, key_card = $6, key_at = $7,
                       short_certificate = $8, authentication_key = $9";
        let second = self.write(
            &format!(
                "UPDATE second_keys SET {columns}
                 WHERE account = $1 AND primary_key = $2
                   AND EXISTS (SELECT 1 FROM accounts WHERE name = $1 AND state = 'active' AND suspended_at IS NULL)"
            ),
            values,
        )?;
        if second == 0 {
            let first = self.write(
                &format!(
                    "UPDATE accounts SET {columns}
                     WHERE name = $1 AND primary_key = $2 AND state = 'active' AND suspended_at IS NULL"
                ),
                values,
            )?;
            if first == 0 {
                return Ok(false);
            }
        }
        self.never_again(name, old, at)?;
        Ok(true)
    }

    fn keep_revocation(&self, key: &Fingerprint, certificate: &[u8]) -> Result<(), StoreError> {
        self.write(
            "UPDATE revoked_keys SET revocation = $2 WHERE primary_key = $1",
            (key.to_string(), certificate),
        )?;
        Ok(())
    }

    fn suspend_account(&self, name: &AccountName, keep: &str, at: Timestamp) -> Result<bool, StoreError> {
        let suspended = self.write(
            &format!(
                "UPDATE accounts SET suspended_at = $2
                 WHERE name = $1 AND suspended_at IS NULL AND state <> 'closed'
                   AND ({HAS_IT_NOT} OR {ANOTHER_HAS_ROLE})"
            ),
            (name.as_str(), time(at), to_json(&keep)?),
        )?;
        if suspended == 1 {
            self.end_codes_but_for_recovery(name, at)?;
        }
        Ok(suspended == 1)
    }

    fn resume_account(&self, name: &AccountName, at: Timestamp) -> Result<bool, StoreError> {
        self.write(
            "INSERT INTO bars (owner_kind, owner, from_at, until_at)
             SELECT 'account', name, suspended_at, $2 FROM accounts WHERE name = $1 AND suspended_at IS NOT NULL",
            (name.as_str(), time(at)),
        )?;
        let resumed = self.write(
            "UPDATE accounts SET suspended_at = NULL WHERE name = $1 AND suspended_at IS NOT NULL",
            [name.as_str()],
        )?;
        Ok(resumed == 1)
    }

    fn update_account(&self, account: &Account, keep: &str) -> Result<bool, StoreError> {
        let roles = to_json(&account.roles)?;
        // None is none, as it was before there were groups.
        let groups = Some(&account.groups).filter(|groups| !groups.is_empty()).map(to_json).transpose()?;
        let updated = self.write(
            &format!(
                "UPDATE accounts SET roles = $2, member_of = $4
                 WHERE name = $1 AND state <> 'closed'
                   AND ({HAS_IT_NOT} OR $2 <> replace($2, $3, '') OR {ANOTHER_HAS_ROLE})"
            ),
            (account.name.as_str(), &roles, to_json(&keep)?, groups),
        )?;
        if updated == 0 {
            return Ok(false);
        }
        self.write("DELETE FROM account_logins WHERE account = $1", [account.name.as_str()])?;
        self.put_logins(account)?;
        Ok(true)
    }

    fn retire_account(&self, account: &Account, keep: &str, at: Timestamp) -> Result<bool, StoreError> {
        // The certificate that leaves its row names a person.
        self.0.wipe_what_is_deleted()?;
        let name = &account.name;
        let retired = self.write(
            &format!(
                "UPDATE accounts
                 SET state = 'closed', certificate = NULL, primary_key = NULL, signing_keys = NULL, key_card = NULL,
                     key_at = NULL, short_certificate = NULL, authentication_key = NULL, member_of = NULL,
                     retired_at = $2
                 WHERE name = $1 AND state <> 'closed' AND ({HAS_IT_NOT} OR {ANOTHER_HAS_ROLE})"
            ),
            (name.as_str(), time(at), to_json(&keep)?),
        )?;
        if retired == 0 {
            return Ok(false);
        }
        self.write("DELETE FROM second_keys WHERE account = $1", [name.as_str()])?;
        self.write("DELETE FROM account_logins WHERE account = $1", [name.as_str()])?;
        self.end_codes(name, at)?;
        self.withdraw_recovery(name, false, at)?;
        for key in account.keys() {
            self.never_again(name, key, at)?;
        }
        Ok(true)
    }

    fn saw_account(&self, name: &AccountName, at: Timestamp) -> Result<(), StoreError> {
        self.write(
            "UPDATE accounts SET seen_at = $2 WHERE name = $1 AND (seen_at IS NULL OR seen_at <= $3)",
            (name.as_str(), time(at), time(at.plus(-accounts::SEEN_STEP))),
        )?;
        Ok(())
    }
}
