//! Emergency codes.

use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, Digest, Fingerprint};
use countersign_protocol::limits;
use countersign_protocol::message::result::EmergencyUsed;
use countersign_protocol::roster::EmergencyVerifier;
use countersign_server_core::emergency::EmergencyStore;
use countersign_server_core::store::StoreError;

use super::rows::{bytes, parsed, time};
use super::{Row, Sql, Writing};

/// It can be used.
const LIVE: &str = "used_at IS NULL AND ended_at IS NULL AND tries < $2";

fn read(row: &Row<'_>) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    Ok((row.get("salt")?, row.get("digest")?))
}

pub(super) fn verifier((salt, digest): (Vec<u8>, Vec<u8>)) -> Result<EmergencyVerifier, StoreError> {
    let digest = Digest::from_bytes(bytes(&digest, "an emergency code's digest")?);
    Ok(EmergencyVerifier { salt: Binary(salt), digest })
}

impl<D: Writing> EmergencyStore for Sql<D> {
    fn put_emergency_code(
        &self,
        account: &AccountName,
        verifier: &EmergencyVerifier,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO emergency_codes (account, salt, digest, made_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (account) DO UPDATE
             SET salt = excluded.salt, digest = excluded.digest, made_at = excluded.made_at, tries = 0,
                 used_at = NULL, used_for = NULL, ended_at = NULL, end_told_at = NULL",
            (account.as_str(), &verifier.salt.0, verifier.digest.as_bytes(), time(now)),
        )?;
        Ok(())
    }

    fn try_emergency_code(&self, account: &AccountName) -> Result<Option<EmergencyVerifier>, StoreError> {
        let sql = format!(
            "UPDATE emergency_codes SET tries = tries + 1 WHERE account = $1 AND {LIVE} RETURNING salt, digest"
        );
        let row = self.write_returning(&sql, (account.as_str(), limits::EMERGENCY_TRIES), read)?;
        row.map(verifier).transpose()
    }

    fn use_emergency_code(
        &self,
        account: &AccountName,
        salt: &Binary,
        request: &Digest,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let used = self.write(
            "UPDATE emergency_codes SET used_at = $4, used_for = $3
             WHERE account = $1 AND salt = $2 AND used_at IS NULL AND ended_at IS NULL",
            (account.as_str(), &salt.0, request.as_bytes(), time(now)),
        )?;
        Ok(used == 1)
    }

    fn is_used_for(
        &self,
        account: &AccountName,
        salt: &Binary,
        request: &Digest,
    ) -> Result<bool, StoreError> {
        let row = self.read(
            "SELECT 1 FROM emergency_codes WHERE account = $1 AND salt = $2 AND used_for = $3",
            (account.as_str(), &salt.0, request.as_bytes()),
            |_| Ok(()),
        )?;
        Ok(row.is_some())
    }

    fn end_emergency_code(&self, account: &AccountName, now: Timestamp) -> Result<bool, StoreError> {
        let ended = self.write(
            "UPDATE emergency_codes SET ended_at = $2
             WHERE account = $1 AND used_at IS NULL AND ended_at IS NULL",
            (account.as_str(), time(now)),
        )?;
        Ok(ended == 1)
    }

    fn note_emergency_use(
        &self,
        account: &AccountName,
        salt: &Binary,
        instance: &Fingerprint,
        used: &EmergencyUsed,
    ) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO emergency_uses (account, salt, instance, at, hostname, login)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT DO NOTHING",
            (
                account.as_str(),
                &salt.0,
                instance.to_string(),
                time(used.at),
                &used.claimed_hostname,
                used.login.as_str(),
            ),
        )?;
        Ok(())
    }

    fn tell_emergency_uses(
        &self,
        account: &AccountName,
        now: Timestamp,
    ) -> Result<Vec<EmergencyUsed>, StoreError> {
        let told = self.write_returning_all(
            "UPDATE emergency_uses SET told_at = coalesce(told_at, $2)
             WHERE (account, salt, instance) IN (SELECT account, salt, instance FROM emergency_uses
                                                 WHERE account = $1 AND (told_at IS NULL OR told_at > $4)
                                                 ORDER BY at DESC LIMIT $3)
             RETURNING at, hostname, login",
            (
                account.as_str(),
                time(now),
                limits::EMERGENCY_USES_TOLD,
                time(now.plus(-limits::EMERGENCY_TOLD_FOR)),
            ),
            |row| Ok((row.get::<i64>(0)?, row.get::<String>(1)?, row.get::<String>(2)?)),
        )?;
        let mut told: Vec<EmergencyUsed> = told
            .into_iter()
            .map(|(at, claimed_hostname, login)| {
                let login = parsed(&login, "a login name")?;
                Ok(EmergencyUsed { at: Timestamp::from_seconds(at), claimed_hostname, login })
            })
            .collect::<Result<_, StoreError>>()?;
        told.sort_by_key(|used| used.at);
        Ok(told)
    }

    fn tell_emergency_end(&self, account: &AccountName, now: Timestamp) -> Result<bool, StoreError> {
        let told = self.write(
            "UPDATE emergency_codes SET end_told_at = coalesce(end_told_at, $2)
             WHERE account = $1 AND used_at IS NULL AND (ended_at IS NOT NULL OR tries >= $3)
               AND (end_told_at IS NULL OR end_told_at > $4)",
            (
                account.as_str(),
                time(now),
                limits::EMERGENCY_TRIES,
                time(now.plus(-limits::EMERGENCY_TOLD_FOR)),
            ),
        )?;
        Ok(told == 1)
    }
}
