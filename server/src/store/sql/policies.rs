//! Policy texts and their numbers.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Digest;
use countersign_server_core::policy::PolicyStore;
use countersign_server_core::store::StoreError;

use super::rows::{count, number, time};
use super::{Sql, Writing};

impl<D: Writing> PolicyStore for Sql<D> {
    fn policy_epoch(&self, text: &str) -> Result<Option<u64>, StoreError> {
        let digest = Digest::of(text.as_bytes());
        let newest = self.newest_policy()?;
        Ok(newest.filter(|(_, of)| of == digest.as_bytes()).map(|(epoch, _)| epoch))
    }

    fn put_policy(&self, text: &str, now: Timestamp) -> Result<u64, StoreError> {
        let epoch = self.newest_policy()?.map_or(1, |(epoch, _)| epoch + 1);
        self.write(
            "INSERT INTO policies (epoch, digest, text, since) VALUES ($1, $2, $3, $4)",
            (number(epoch)?, Digest::of(text.as_bytes()).as_bytes(), text, time(now)),
        )?;
        Ok(epoch)
    }
}

impl<D: Writing> Sql<D> {
    fn newest_policy(&self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let sql = "SELECT epoch, digest FROM policies ORDER BY epoch DESC LIMIT 1";
        let newest = self.read(sql, (), |row| Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?)))?;
        newest.map(|(epoch, digest)| Ok((count(epoch, "a policy's epoch")?, digest))).transpose()
    }
}
