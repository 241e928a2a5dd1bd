//! Enrolment tokens.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Fingerprint;
use countersign_server_core::codes::Mac;
use countersign_server_core::store::StoreError;
use countersign_server_core::tokens::TokenStore;

use super::rows::time;
use super::{Sql, Writing};

impl<D: Writing> TokenStore for Sql<D> {
    fn add_token(&self, name: &str, mac: &Mac, expires: Timestamp) -> Result<bool, StoreError> {
        let added = self.write(
            "INSERT INTO tokens (name, mac, expires) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            (name, mac, time(expires)),
        )?;
        Ok(added == 1)
    }

    fn use_token(&self, mac: &Mac, instance: &Fingerprint, now: Timestamp) -> Result<bool, StoreError> {
        let used = self.write(
            "UPDATE tokens SET used_at = $3, used_by = $2 WHERE mac = $1 AND used_at IS NULL AND expires > $3",
            (mac, instance.to_string(), time(now)),
        )?;
        Ok(used == 1)
    }
}
