//! Registrations that are under way.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{Digest, MessageId, Nonce};
use countersign_server_core::codes::Mac;
use countersign_server_core::registration::{Registration, RegistrationStore};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, parsed, time};
use super::{Sql, Writing};

impl<D: Writing> RegistrationStore for Sql<D> {
    fn add_registration(&self, registration: &Registration) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO registrations (id, instance, account, commitment, transcript, expires)
             VALUES ($1, $2, $3, $4, $5, $6)",
            (
                registration.id.as_bytes(),
                registration.instance.to_string(),
                registration.account.as_str(),
                registration.commitment.as_bytes(),
                registration.transcript.as_bytes(),
                time(registration.expires),
            ),
        )?;
        Ok(())
    }

    fn registration(&self, id: &MessageId, now: Timestamp) -> Result<Option<Registration>, StoreError> {
        let row = self.read(
            "SELECT instance, account, commitment, transcript, server_nonce, expires, mac FROM registrations
             WHERE id = $1 AND ended_at IS NULL AND expires > $2",
            (id.as_bytes(), time(now)),
            |row| {
                Ok((
                    row.get::<String>(0)?,
                    row.get::<String>(1)?,
                    row.get::<Vec<u8>>(2)?,
                    row.get::<Vec<u8>>(3)?,
                    row.get::<Option<Vec<u8>>>(4)?,
                    row.get::<i64>(5)?,
                    row.get::<Option<Vec<u8>>>(6)?,
                ))
            },
        )?;
        let Some((instance, account, commitment, transcript, server_nonce, expires, mac)) = row else {
            return Ok(None);
        };
        let server_nonce = server_nonce
            .map(|nonce| bytes(&nonce, "a registration's nonce").map(Nonce::from_bytes))
            .transpose()?;
        Ok(Some(Registration {
            id: *id,
            instance: parsed(&instance, "a registration's instance")?,
            account: parsed(&account, "a registration's account")?,
            commitment: Digest::from_bytes(bytes(&commitment, "a registration's commitment")?),
            transcript: Digest::from_bytes(bytes(&transcript, "a registration's transcript")?),
            expires: Timestamp::from_seconds(expires),
            server_nonce,
            // Of another length, it is none that is right.
            mac: mac.and_then(|mac| mac.try_into().ok()),
        }))
    }

    fn accept_registration(
        &self,
        id: &MessageId,
        server_nonce: &Nonce,
        transcript: &Digest,
        mac: &Mac,
    ) -> Result<bool, StoreError> {
        let accepted = self.write(
            "UPDATE registrations SET server_nonce = $2, transcript = $3, mac = $4
             WHERE id = $1 AND server_nonce IS NULL AND ended_at IS NULL",
            (id.as_bytes(), server_nonce.as_bytes(), transcript.as_bytes(), mac),
        )?;
        Ok(accepted == 1)
    }

    fn end_registration(&self, id: &MessageId, now: Timestamp) -> Result<bool, StoreError> {
        let ended = self.write(
            "UPDATE registrations SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL AND server_nonce IS NOT NULL",
            (id.as_bytes(), time(now)),
        )?;
        Ok(ended == 1)
    }
}
