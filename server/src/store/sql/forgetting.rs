//! What can no longer come again.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::limits;
use countersign_server_core::forgetting::ForgettingStore;
use countersign_server_core::store::StoreError;

use super::rows::time;
use super::{Sql, Writing};

impl<D: Writing> ForgettingStore for Sql<D> {
    fn forgotten(&self) -> Result<Option<Timestamp>, StoreError> {
        let before = self.read("SELECT before FROM forgotten", (), |row| row.get(0))?;
        Ok(before.map(Timestamp::from_seconds))
    }

    fn forget(&self, before: Timestamp) -> Result<(), StoreError> {
        // First what says so: who forgets beside us waits here, and not for one row after another.
        self.write(
            "INSERT INTO forgotten (only_one, before) VALUES (1, $1)
             ON CONFLICT (only_one) DO UPDATE SET before = excluded.before WHERE forgotten.before < excluded.before",
            [time(before)],
        )?;
        for (table, column) in [
            ("replies", "stored_at"),
            ("burned_nonces", "burned_at"),
            ("handshakes", "expires"),
            ("registrations", "expires"),
            ("alone", "expires"),
            ("waiting_contacts", "expires"),
            // Given up long ago, but for those by a way that the server has no more.
            ("letters", "expires"),
        ] {
            self.write(&format!("DELETE FROM {table} WHERE {column} < $1"), [time(before)])?;
        }
        self.write(
            "DELETE FROM recovery_requests
             WHERE NOT EXISTS (SELECT 1 FROM registrations WHERE id = recovery_requests.registration)",
            (),
        )?;
        let window = time(before.plus(-limits::RECOVERY_TRIES_WINDOW));
        self.write("DELETE FROM recovery_tries WHERE since < $1", [window])?;
        // A day ago nothing of today was asked for.
        let day = time(before.plus(-24 * 3600));
        self.write("DELETE FROM address_requests WHERE day < $1 AND newest < $1", [day])?;
        Ok(())
    }
}
