//! One-time codes.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, Fingerprint};
use countersign_protocol::limits;
use countersign_server_core::codes::{CodeStore, Mac};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, parsed, time};
use super::{Sql, Writing};

impl<D: Writing> CodeStore for Sql<D> {
    fn put_code(
        &self,
        account: &AccountName,
        mac: &Mac,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(
            "UPDATE registrations SET ended_at = $2 WHERE account = $1 AND ended_at IS NULL",
            (account.as_str(), time(now)),
        )?;
        self.write(
            "INSERT INTO codes (account, mac, expires) VALUES ($1, $2, $3)
             ON CONFLICT (account) DO UPDATE
             SET mac = excluded.mac, expires = excluded.expires, tries = 0, used_at = NULL, replaces = NULL",
            (account.as_str(), mac, time(expires)),
        )?;
        self.write("DELETE FROM second_factors WHERE account = $1", [account.as_str()])?;
        Ok(())
    }

    fn mark_replacement(&self, account: &AccountName, key: &Fingerprint) -> Result<(), StoreError> {
        self.write("UPDATE codes SET replaces = $2 WHERE account = $1", (account.as_str(), key.to_string()))?;
        Ok(())
    }

    fn replacement(&self, account: &AccountName) -> Result<Option<Fingerprint>, StoreError> {
        let replaced =
            self.read("SELECT replaces FROM codes WHERE account = $1", [account.as_str()], |row| {
                row.get::<Option<String>>(0)
            })?;
        replaced.flatten().map(|key| parsed(&key, "a key to be replaced")).transpose()
    }

    fn try_code(&self, account: &AccountName, now: Timestamp) -> Result<Option<Mac>, StoreError> {
        let mac = self.write_returning(
            "UPDATE codes SET tries = tries + 1
             WHERE account = $1 AND tries < $2 AND used_at IS NULL AND expires > $3
             RETURNING mac",
            (account.as_str(), limits::CODE_TRIES, time(now)),
            |row| row.get::<Vec<u8>>(0),
        )?;
        mac.map(|mac| bytes(&mac, "a code's digest")).transpose()
    }

    fn use_code(&self, account: &AccountName, now: Timestamp) -> Result<bool, StoreError> {
        let used = self.write(
            "UPDATE codes SET used_at = $2 WHERE account = $1 AND used_at IS NULL",
            (account.as_str(), time(now)),
        )?;
        Ok(used == 1)
    }
}
