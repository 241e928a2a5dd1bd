//! Policy texts and their numbers.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Digest;
use countersign_server_core::store::StoreError;
use rusqlite::{OptionalExtension as _, TransactionBehavior};

use super::rows::{corrupt, time};
use super::{SqliteStore, unavailable};

impl SqliteStore {
    /// The epoch of this text: that of the one that was in force last if it is the same, else one more. The first is 1.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn policy_epoch(&self, text: &str, now: Timestamp) -> Result<u64, StoreError> {
        let digest = Digest::of(text.as_bytes());
        let mut writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(unavailable)?;
        let newest: Option<(i64, Vec<u8>)> = tx
            .query_row("SELECT epoch, digest FROM policies ORDER BY epoch DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(unavailable)?;
        let epoch = match newest {
            Some((epoch, same)) if same == digest.as_bytes() => return numbered(epoch),
            Some((epoch, _)) => epoch + 1,
            None => 1,
        };
        tx.execute(
            "INSERT INTO policies (epoch, digest, text, since) VALUES (?1, ?2, ?3, ?4)",
            (epoch, digest.as_bytes(), text, time(now)),
        )
        .map_err(unavailable)?;
        tx.commit().map_err(unavailable)?;
        numbered(epoch)
    }
}

fn numbered(epoch: i64) -> Result<u64, StoreError> {
    u64::try_from(epoch).map_err(|_| corrupt("a policy's epoch"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::CrashPoint;

    #[test]
    fn each_text_that_comes_into_force_has_a_number_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::write(&path, b"").unwrap();
        let epoch = |store: &SqliteStore, text| store.policy_epoch(text, Timestamp::from_seconds(7)).unwrap();
        let store = SqliteStore::create(&path).unwrap();
        assert_eq!(
            [epoch(&store, "a"), epoch(&store, "a"), epoch(&store, "b"), epoch(&store, "a")],
            [1, 1, 2, 3]
        );
        drop(store);
        let store = SqliteStore::open(&path, CrashPoint::never()).unwrap();
        assert_eq!([epoch(&store, "a"), epoch(&store, "c")], [3, 4]);
    }
}
