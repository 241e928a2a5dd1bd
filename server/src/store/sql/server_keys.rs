//! The server's own subkeys, sealed: one row.

use countersign_server_core::server_keys::{ServerKeyRead, ServerKeyStore, StoredKeys};
use countersign_server_core::store::StoreError;

use super::rows::{count, number};
use super::{Reading, Sql, Writing};

impl<D: Reading> ServerKeyRead for Sql<D> {
    fn server_keys(&self) -> Result<Option<StoredKeys>, StoreError> {
        let row = self.read("SELECT version, sealed FROM server_keys", (), |row| {
            Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?))
        })?;
        let stored =
            |(version, sealed)| Ok(StoredKeys { version: count(version, "the version of keys")?, sealed });
        row.map(stored).transpose()
    }
}

impl<D: Writing> ServerKeyStore for Sql<D> {
    fn put_server_keys(&self, keys: &StoredKeys) -> Result<bool, StoreError> {
        let (version, sealed) = (number(keys.version)?, keys.sealed.as_slice());
        let put = match version {
            1 => self.write(
                "INSERT INTO server_keys (only_one, version, sealed) VALUES (1, $1, $2) ON CONFLICT DO NOTHING",
                (version, sealed),
            )?,
            _ => self.write(
                "UPDATE server_keys SET version = $1, sealed = $2 WHERE version = $3",
                (version, sealed, version - 1),
            )?,
        };
        Ok(put == 1)
    }
}
