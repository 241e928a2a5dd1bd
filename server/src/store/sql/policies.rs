//! Policy documents: one row for each change.

use std::sync::LazyLock;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{Digest, PolicyName};
use countersign_protocol::message::result::PolicyVersion;
use countersign_server_core::policy::{Document, PolicyRead, PolicyStore};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, count, number, parsed, time};
use super::{Reading, Row, Sql, Writing};

/// In the order that [`version`] reads.
const COLUMNS: &str = "name, version, digest, epoch, since, author";

/// The last change.
pub(super) fn newest() -> &'static str {
    static SQL: LazyLock<String> =
        LazyLock::new(|| format!("SELECT {COLUMNS} FROM policy_changes ORDER BY epoch DESC LIMIT 1"));
    &SQL
}

impl<D: Reading> PolicyRead for Sql<D> {
    fn policy_epoch(&self) -> Result<u64, StoreError> {
        let newest =
            self.read("SELECT epoch FROM policy_changes ORDER BY epoch DESC LIMIT 1", (), |row| {
                row.get::<i64>(0)
            })?;
        newest.map_or(Ok(0), |epoch| count(epoch, "a policy's epoch"))
    }

    fn newest_policy_change(&self) -> Result<Option<PolicyVersion>, StoreError> {
        self.read(newest(), (), version)
    }

    fn policies_at(&self, epoch: u64) -> Result<Vec<Document>, StoreError> {
        self.read_all(
            "SELECT name, text FROM policy_changes AS one
             WHERE epoch <= $1 AND text IS NOT NULL AND NOT EXISTS (
                 SELECT 1 FROM policy_changes AS later
                 WHERE later.name = one.name AND later.version > one.version AND later.epoch <= $1
             )
             ORDER BY name",
            (number(epoch)?,),
            |row| {
                let name = parsed(&row.get::<String>(0)?, "a policy's name")?;
                Ok(Document { name, text: row.get(1)? })
            },
        )
    }

    fn newest_policies(&self) -> Result<Vec<PolicyVersion>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM policy_changes AS one
             WHERE NOT EXISTS (
                 SELECT 1 FROM policy_changes AS later
                 WHERE later.name = one.name AND later.version > one.version
             )
             ORDER BY name"
        );
        self.read_all(&sql, (), version)
    }

    fn policy_history(&self, name: &PolicyName) -> Result<Vec<PolicyVersion>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM policy_changes WHERE name = $1 ORDER BY version DESC");
        self.read_all(&sql, (name.as_str(),), version)
    }

    fn policy_text(&self, name: &PolicyName, version: u64) -> Result<Option<String>, StoreError> {
        let text = self.read(
            "SELECT text FROM policy_changes WHERE name = $1 AND version = $2",
            (name.as_str(), number(version)?),
            |row| row.get::<Option<String>>(0),
        )?;
        Ok(text.flatten())
    }
}

impl<D: Writing> PolicyStore for Sql<D> {
    fn change_policy(&self, version: &PolicyVersion, text: Option<&str>) -> Result<bool, StoreError> {
        let changed = self.write(
            "INSERT INTO policy_changes (epoch, name, version, digest, text, since, author)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT DO NOTHING",
            (
                number(version.epoch)?,
                version.name.as_str(),
                number(version.version)?,
                version.digest.as_ref().map(Digest::as_bytes),
                text,
                time(version.since),
                version.by.as_ref().map(|by| by.as_str()),
            ),
        )?;
        Ok(changed == 1)
    }
}

fn version(row: &Row<'_>) -> Result<PolicyVersion, StoreError> {
    let digest: Option<Vec<u8>> = row.get(2)?;
    let author: Option<String> = row.get(5)?;
    Ok(PolicyVersion {
        name: parsed(&row.get::<String>(0)?, "a policy's name")?,
        version: count(row.get(1)?, "a policy's version")?,
        digest: digest
            .map(|digest| bytes(&digest, "a policy's digest").map(Digest::from_bytes))
            .transpose()?,
        epoch: count(row.get(3)?, "a policy's epoch")?,
        since: Timestamp::from_seconds(row.get(4)?),
        by: author.map(|name| parsed(&name, "a policy's author")).transpose()?,
    })
}
