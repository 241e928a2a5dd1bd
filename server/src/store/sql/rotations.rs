//! Changes of a host's key that are under way.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{Digest, Fingerprint, Nonce};
use countersign_server_core::rotation::{Rotation, RotationStore};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, time};
use super::{Sql, Writing};

impl<D: Writing> RotationStore for Sql<D> {
    fn put_rotation(&self, rotation: &Rotation) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO rotations (instance, transcript, commitment, server_nonce, expires)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (instance) DO UPDATE SET transcript = excluded.transcript, commitment = excluded.commitment,
                 server_nonce = excluded.server_nonce, expires = excluded.expires, used_at = NULL",
            (
                rotation.instance.to_string(),
                rotation.transcript.as_bytes(),
                rotation.commitment.as_bytes(),
                rotation.server_nonce.as_bytes(),
                time(rotation.expires),
            ),
        )?;
        Ok(())
    }

    fn use_rotation(
        &self,
        instance: &Fingerprint,
        transcript: &Digest,
        now: Timestamp,
    ) -> Result<Option<Rotation>, StoreError> {
        let row = self.write_returning(
            "UPDATE rotations SET used_at = $3
             WHERE instance = $1 AND transcript = $2 AND used_at IS NULL AND expires > $3
             RETURNING commitment, server_nonce, expires",
            (instance.to_string(), transcript.as_bytes(), time(now)),
            |row| Ok((row.get::<Vec<u8>>(0)?, row.get::<Vec<u8>>(1)?, row.get::<i64>(2)?)),
        )?;
        let Some((commitment, server_nonce, expires)) = row else { return Ok(None) };
        Ok(Some(Rotation {
            instance: instance.clone(),
            transcript: *transcript,
            commitment: Digest::from_bytes(bytes(&commitment, "a rotation's commitment")?),
            server_nonce: Nonce::from_bytes(bytes(&server_nonce, "a rotation's nonce")?),
            expires: Timestamp::from_seconds(expires),
        }))
    }
}
