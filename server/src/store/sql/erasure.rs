//! What is erased of a person.

use countersign_protocol::ids::AccountName;
use countersign_server_core::contacts::ContactStore as _;
use countersign_server_core::erasure::ErasureStore;
use countersign_server_core::store::StoreError;

use super::rows::number;
use super::{Sql, Writing};

/// Everything in these rows is about one account.
const TABLES: [&str; 10] = [
    "jobs",
    "emergency_uses",
    "emergency_codes",
    "codes",
    "second_factors",
    "revoked_keys",
    "recovery_codes",
    "recovery_tries",
    "recoveries",
    "waiting_requests",
];

impl<D: Writing> ErasureStore for Sql<D> {
    fn erase_account(&self, name: &AccountName, places: &[u64]) -> Result<Option<u64>, StoreError> {
        self.0.wipe_what_is_deleted()?;
        let is_retired = self.read(
            "SELECT 1 FROM accounts WHERE name = $1 AND state = 'closed'",
            [name.as_str()],
            |_| Ok(()),
        )?;
        if is_retired.is_none() {
            return Ok(None);
        }
        let mut erased = 0;
        for place in places {
            erased += self.write("DELETE FROM ledger_evidence WHERE place = $1", [number(*place)?])?;
        }
        self.forget_contacts(name)?;
        self.write(
            "DELETE FROM recovery_approvals WHERE administrator = $1
                OR recovery IN (SELECT id FROM recoveries WHERE account = $1)",
            [name.as_str()],
        )?;
        self.write(
            "DELETE FROM request_approvals WHERE account = $1
                OR request IN (SELECT id FROM waiting_requests WHERE account = $1)",
            [name.as_str()],
        )?;
        for table in TABLES {
            self.write(&format!("DELETE FROM {table} WHERE account = $1"), [name.as_str()])?;
        }
        self.write("DELETE FROM registrations WHERE account = $1", [name.as_str()])?;
        self.write("UPDATE accounts SET seen_at = NULL, recovery = NULL WHERE name = $1", [name.as_str()])?;
        Ok(Some(erased))
    }
}
