//! Enrolments that are under way.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{ApplicationName, Digest, Nonce};
use countersign_protocol::limits;
use countersign_server_core::enrolment::{Handshake, HandshakeStore};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, number, time};
use super::{Sql, Writing};

impl<D: Writing> HandshakeStore for Sql<D> {
    fn add_handshake(&self, handshake: &Handshake, now: Timestamp) -> Result<(), StoreError> {
        // Whoever floods pushes out others of the flood: an honest host goes on within a second.
        self.write(
            "DELETE FROM handshakes WHERE transcript IN
             (SELECT transcript FROM handshakes WHERE application = $1 AND used_at IS NULL AND expires > $2
              ORDER BY expires DESC, transcript LIMIT $3 OFFSET $4)",
            (
                handshake.application.as_str(),
                time(now),
                number(limits::HANDSHAKES)?,
                number(limits::HANDSHAKES.saturating_sub(1))?,
            ),
        )?;
        self.write(
            "INSERT INTO handshakes (transcript, application, commitment, server_nonce, expires)
             VALUES ($1, $2, $3, $4, $5)",
            (
                handshake.transcript.as_bytes(),
                handshake.application.as_str(),
                handshake.commitment.as_bytes(),
                handshake.server_nonce.as_bytes(),
                time(handshake.expires),
            ),
        )?;
        Ok(())
    }

    fn use_handshake(
        &self,
        transcript: &Digest,
        application: &ApplicationName,
        now: Timestamp,
    ) -> Result<Option<Handshake>, StoreError> {
        let row = self.write_returning(
            "UPDATE handshakes SET used_at = $3
             WHERE transcript = $1 AND application = $2 AND used_at IS NULL AND expires > $3
             RETURNING commitment, server_nonce, expires",
            (transcript.as_bytes(), application.as_str(), time(now)),
            |row| Ok((row.get::<Vec<u8>>(0)?, row.get::<Vec<u8>>(1)?, row.get::<i64>(2)?)),
        )?;
        let Some((commitment, server_nonce, expires)) = row else { return Ok(None) };
        Ok(Some(Handshake {
            transcript: *transcript,
            application: application.clone(),
            commitment: Digest::from_bytes(bytes(&commitment, "a handshake's commitment")?),
            server_nonce: Nonce::from_bytes(bytes(&server_nonce, "a handshake's nonce")?),
            expires: Timestamp::from_seconds(expires),
        }))
    }
}
