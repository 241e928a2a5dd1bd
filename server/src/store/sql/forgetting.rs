//! What can no longer come again.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::limits;
use countersign_server_core::forgetting::ForgettingStore;
use countersign_server_core::store::StoreError;

use super::rows::{number, time};
use super::{Sql, Writing};

/// Most rows of one table in one transaction.
const AT_ONCE: u64 = 500;

/// How far.
pub(super) const FORGOTTEN: &str = "SELECT before FROM forgotten";

impl<D: Writing> ForgettingStore for Sql<D> {
    fn forgotten(&self) -> Result<Option<Timestamp>, StoreError> {
        let before = self.read(FORGOTTEN, (), |row| row.get(0))?;
        Ok(before.map(Timestamp::from_seconds))
    }

    fn forget_some(&self, before: Timestamp) -> Result<bool, StoreError> {
        // First what says so: who forgets beside us waits here, and not for one row after another.
        self.write(
            "INSERT INTO forgotten (only_one, before) VALUES (1, $1)
             ON CONFLICT (only_one) DO UPDATE SET before = excluded.before WHERE forgotten.before < excluded.before",
            [time(before)],
        )?;
        // A day ago nothing of today was asked for.
        let day = before.plus(-24 * 3600);
        let mut is_more = false;
        for (table, key, old, before) in [
            ("replies", "id", "stored_at < $1", before),
            ("burned_nonces", "nonce", "burned_at < $1", before),
            ("handshakes", "transcript", "expires < $1", before),
            ("registrations", "id", "expires < $1", before),
            ("alone", "id", "expires < $1", before),
            ("waiting_contacts", "account", "expires < $1", before),
            // Given up long ago, but for those by a way that the server has no more.
            ("letters", "id", "expires < $1", before),
            (
                "recovery_tries",
                "account, instance",
                "since < $1",
                before.plus(-limits::RECOVERY_TRIES_WINDOW),
            ),
            ("jobs", "id", "expires_at < $1 AND is_recorded = 1", day),
            ("address_requests", "digest", "day < $1 AND newest < $1", day),
        ] {
            // What is old is asked twice: a row that was made new meanwhile stays.
            let sql = format!(
                "DELETE FROM {table} WHERE {old} AND ({key}) IN (SELECT {key} FROM {table} WHERE {old} LIMIT $2)"
            );
            is_more |= self.write(&sql, (time(before), number(AT_ONCE)?))? == AT_ONCE;
        }
        let long_over = before.plus(-limits::REQUEST_KEPT);
        self.write(
            "DELETE FROM request_approvals WHERE request IN
                 (SELECT id FROM waiting_requests WHERE deadline < $1 ORDER BY deadline LIMIT $2)",
            (time(long_over), number(AT_ONCE)?),
        )?;
        is_more |= self.write(
            "DELETE FROM waiting_requests WHERE deadline < $1
               AND NOT EXISTS (SELECT 1 FROM request_approvals WHERE request = waiting_requests.id)",
            [time(long_over)],
        )? >= AT_ONCE;
        is_more |= self.write(
            "DELETE FROM recovery_requests WHERE registration IN
                 (SELECT registration FROM recovery_requests
                  WHERE NOT EXISTS (SELECT 1 FROM registrations WHERE id = recovery_requests.registration) LIMIT $1)",
            [number(AT_ONCE)?],
        )? == AT_ONCE;
        Ok(is_more)
    }
}
