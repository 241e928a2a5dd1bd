//! Recovery codes, and recoveries that are under way.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, CardIdent, CorrelationId, Fingerprint, MessageId};
use countersign_protocol::limits;
use countersign_server_core::accounts::AccountKey;
use countersign_server_core::codes::Mac;
use countersign_server_core::recovery::{Approval, Ending, Recovery, RecoveryStore};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, json, parsed, time, to_json};
use super::{Row, Sql, Writing};

const COLUMNS: &str = "id, account, certificate, short_certificate, primary_key, signing_keys, authentication_key, \
                       key_card, hostname, begun_at, by_card, mac";

/// The one code of the account `$1` that counts now: one that a card had made goes before the one of the registration.
const COUNTS: &str = "account = $1 AND used_at IS NULL AND ended_at IS NULL
    AND EXISTS (SELECT 1 FROM accounts WHERE name = $1 AND state <> 'closed' AND suspended_at IS NULL)
    AND (by_card <> 0 OR NOT EXISTS (SELECT 1 FROM recovery_codes AS newer
                                     WHERE newer.account = $1 AND newer.by_card <> 0 AND newer.ended_at IS NULL))";

fn card(row: &Row<'_>, column: &str) -> Result<Option<CardIdent>, StoreError> {
    row.get::<Option<String>>(column)?.map(|card| parsed(&card, "a recovery's card")).transpose()
}

/// Of another length, it is none that is right.
fn mac(row: &Row<'_>) -> Result<Option<Mac>, StoreError> {
    Ok(row.get::<Option<Vec<u8>>>("mac")?.and_then(|mac| mac.try_into().ok()))
}

fn recovery(row: &Row<'_>) -> Result<Recovery, StoreError> {
    let begun = Timestamp::from_seconds(row.get("begun_at")?);
    let authentication: Option<String> = row.get("authentication_key")?;
    let key = AccountKey {
        certificate: row.get("certificate")?,
        short: row.get("short_certificate")?,
        primary: parsed(&row.get::<String>("primary_key")?, "a recovery's key")?,
        signing: json(&row.get::<String>("signing_keys")?, "a recovery's signing keys")?,
        authentication: authentication
            .map(|key| parsed(&key, "a recovery's authentication key"))
            .transpose()?,
        card: card(row, "key_card")?,
        registered: begun,
    };
    Ok(Recovery {
        id: parsed(&row.get::<String>("id")?, "a recovery's name")?,
        account: parsed(&row.get::<String>("account")?, "a recovery's account")?,
        key,
        claimed_hostname: row.get("hostname")?,
        begun,
        by_card: row.get::<i64>("by_card")? != 0,
        mac: mac(row)?,
    })
}

/// Begun before this time, it is over.
const fn oldest(now: Timestamp) -> i64 {
    now.plus(-limits::RECOVERY_LIFE).seconds()
}

impl<D: Writing> Sql<D> {
    /// Ends the recovery of an account, if one is under way; or only if it began with a code that a card had made.
    pub(super) fn withdraw_recovery(
        &self,
        account: &AccountName,
        only_by_card: bool,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(
            "UPDATE recoveries SET ended_at = $2, outcome = 'withdrawn', mac = NULL
             WHERE account = $1 AND ended_at IS NULL AND by_card >= $3",
            (account.as_str(), time(at), only_by_card),
        )?;
        self.write(
            "UPDATE accounts SET recovery = NULL
             WHERE name = $1 AND NOT EXISTS (SELECT 1 FROM recoveries WHERE id = accounts.recovery AND ended_at IS NULL)",
            [account.as_str()],
        )?;
        Ok(())
    }
}

impl<D: Writing> RecoveryStore for Sql<D> {
    fn put_recovery_code(
        &self,
        account: &AccountName,
        mac: &Mac,
        by_card: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(
            "UPDATE registrations SET ended_at = $2 WHERE account = $1 AND ended_at IS NULL
               AND EXISTS (SELECT 1 FROM recovery_requests WHERE registration = registrations.id)",
            (account.as_str(), time(now)),
        )?;
        if !by_card {
            self.write(
                "UPDATE recovery_codes SET ended_at = $2 WHERE account = $1 AND by_card <> 0 AND ended_at IS NULL",
                (account.as_str(), time(now)),
            )?;
        }
        self.write(
            "INSERT INTO recovery_codes (account, mac, by_card, made_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (account, by_card) DO UPDATE
             SET mac = excluded.mac, made_at = excluded.made_at, used_at = NULL, ended_at = NULL",
            (account.as_str(), mac, by_card, time(now)),
        )?;
        Ok(())
    }

    fn try_recovery_code(
        &self,
        account: &AccountName,
        instance: &Fingerprint,
        now: Timestamp,
    ) -> Result<Option<Mac>, StoreError> {
        let begin = now.plus(-limits::RECOVERY_TRIES_WINDOW);
        // Of accounts without a code nothing is counted: anybody can name some.
        let counted = self.write(
            "INSERT INTO recovery_tries (account, instance, since, tries)
             SELECT account, $2, $3, 1 FROM recovery_codes WHERE account = $1 LIMIT 1
             ON CONFLICT (account, instance) DO UPDATE
             SET tries = CASE WHEN recovery_tries.since <= $4 THEN 1 ELSE recovery_tries.tries + 1 END,
                 since = CASE WHEN recovery_tries.since <= $4 THEN excluded.since ELSE recovery_tries.since END
             WHERE recovery_tries.since <= $4 OR recovery_tries.tries < $5",
            (account.as_str(), instance.to_string(), time(now), time(begin), limits::RECOVERY_TRIES),
        )?;
        if counted == 0 {
            return Ok(None);
        }
        let sql = format!("SELECT mac FROM recovery_codes WHERE {COUNTS}");
        let mac = self.read(&sql, [account.as_str()], |row| row.get::<Vec<u8>>(0))?;
        mac.map(|mac| bytes(&mac, "a recovery code's digest")).transpose()
    }

    fn use_recovery_code(&self, account: &AccountName, now: Timestamp) -> Result<Option<bool>, StoreError> {
        let sql = format!("UPDATE recovery_codes SET used_at = $2 WHERE {COUNTS} RETURNING by_card");
        self.write_returning(&sql, (account.as_str(), time(now)), |row| Ok(row.get::<i64>(0)? != 0))
    }

    fn mark_recovery(&self, registration: &MessageId) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO recovery_requests (registration) VALUES ($1) ON CONFLICT DO NOTHING",
            [registration.as_bytes()],
        )?;
        Ok(())
    }

    fn is_recovery(&self, registration: &MessageId) -> Result<bool, StoreError> {
        let row = self.read(
            "SELECT 1 FROM recovery_requests WHERE registration = $1",
            [registration.as_bytes()],
            |_| Ok(()),
        )?;
        Ok(row.is_some())
    }

    fn add_recovery(&self, recovery: &Recovery) -> Result<bool, StoreError> {
        self.write(
            "UPDATE recoveries SET ended_at = $2, outcome = 'expired', mac = NULL
             WHERE account = $1 AND ended_at IS NULL AND begun_at < $3",
            (recovery.account.as_str(), time(recovery.begun), oldest(recovery.begun)),
        )?;
        let Recovery { id, account, key, .. } = recovery;
        let added = self.write(
            "INSERT INTO recoveries (id, account, certificate, short_certificate, primary_key, signing_keys,
                                     authentication_key, key_card, hostname, begun_at, by_card, mac)
             SELECT $1, name, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM accounts
             WHERE name = $2 AND state <> 'closed' AND suspended_at IS NULL
             ON CONFLICT DO NOTHING",
            (
                id.as_str(),
                account.as_str(),
                &key.certificate,
                &key.short,
                key.primary.to_string(),
                to_json(&key.signing)?,
                key.authentication.as_ref().map(ToString::to_string),
                key.card.map(|card| card.to_string()),
                &recovery.claimed_hostname,
                time(recovery.begun),
                recovery.by_card,
                recovery.mac,
            ),
        )?;
        if added == 0 {
            return Ok(false);
        }
        self.write("UPDATE accounts SET recovery = $2 WHERE name = $1", (account.as_str(), id.as_str()))?;
        Ok(true)
    }

    fn recovery(&self, id: &CorrelationId, now: Timestamp) -> Result<Option<Recovery>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM recoveries WHERE id = $1 AND ended_at IS NULL AND begun_at >= $2");
        self.read(&sql, (id.as_str(), oldest(now)), recovery)
    }

    fn past_recovery(&self, id: &CorrelationId) -> Result<Option<Recovery>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM recoveries WHERE id = $1");
        self.read(&sql, [id.as_str()], recovery)
    }

    fn recoveries(&self, now: Timestamp) -> Result<Vec<Recovery>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM recoveries WHERE ended_at IS NULL AND begun_at >= $1
             ORDER BY begun_at, id LIMIT 500"
        );
        self.read_all(&sql, [oldest(now)], recovery)
    }

    fn approve_recovery(
        &self,
        id: &CorrelationId,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (key, card) = (approval.key.to_string(), approval.card.map(|card| card.to_string()));
        // The key before is theirs no more, or another of theirs signs now.
        self.write(
            "DELETE FROM recovery_approvals
             WHERE recovery = $1 AND administrator = $2 AND approver_key <> $3
               AND NOT EXISTS (SELECT 1 FROM recovery_approvals AS other
                               WHERE other.recovery = $1 AND other.administrator <> $2
                                 AND (other.approver_key = $3 OR other.card = $4))",
            (id.as_str(), approval.administrator.as_str(), &key, &card),
        )?;
        let approved = self.write(
            "INSERT INTO recovery_approvals (recovery, administrator, approver_key, card, approved_at, mac)
             SELECT id, $2, $3, $4, $5, $6 FROM recoveries WHERE id = $1 AND ended_at IS NULL
             ON CONFLICT DO NOTHING",
            (id.as_str(), approval.administrator.as_str(), key, card, time(now), approval.mac),
        )?;
        Ok(approved == 1)
    }

    fn approvals(&self, id: &CorrelationId) -> Result<Vec<Approval>, StoreError> {
        self.read_all(
            "SELECT administrator, approver_key, card, mac FROM recovery_approvals
             WHERE recovery = $1 ORDER BY administrator",
            [id.as_str()],
            |row| {
                Ok(Approval {
                    administrator: parsed(&row.get::<String>("administrator")?, "who approved a recovery")?,
                    key: parsed(&row.get::<String>("approver_key")?, "the key of an approval")?,
                    card: card(row, "card")?,
                    mac: mac(row)?,
                })
            },
        )
    }

    fn end_recovery(
        &self,
        id: &CorrelationId,
        how: Ending,
        begun_by: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let ended = self.write(
            "UPDATE recoveries SET ended_at = $2, outcome = $3, mac = NULL
             WHERE id = $1 AND ended_at IS NULL AND begun_at >= $4 AND begun_at <= $5",
            (id.as_str(), time(now), how.as_str(), oldest(now), time(begun_by)),
        )?;
        self.write("UPDATE accounts SET recovery = NULL WHERE recovery = $1", [id.as_str()])?;
        Ok(ended == 1)
    }

    fn forbid_key(&self, account: &AccountName, key: &AccountKey, now: Timestamp) -> Result<(), StoreError> {
        self.never_again(account, key, now)
    }

    fn recover_account(
        &self,
        account: &AccountName,
        old: &[AccountKey],
        key: &AccountKey,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        // The key is bound as any first one is.
        let cleared = self.write(
            "UPDATE accounts SET state = 'invited', certificate = NULL, primary_key = NULL, signing_keys = NULL
             WHERE name = $1 AND state IN ('invited', 'active') AND suspended_at IS NULL",
            [account.as_str()],
        )?;
        if cleared == 0 {
            return Ok(false);
        }
        self.write("DELETE FROM second_keys WHERE account = $1", [account.as_str()])?;
        self.end_codes(account, now)?;
        for key in old {
            self.never_again(account, key, now)?;
        }
        countersign_server_core::accounts::AccountStore::bind_account(self, account, key)
    }
}
