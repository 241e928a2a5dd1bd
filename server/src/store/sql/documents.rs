//! Documents, and the versions of each that are kept.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{CollectionName, DocumentName};
use countersign_protocol::limits;
use countersign_server_core::documents::{DocumentRead, DocumentStore, StoredDocument};
use countersign_server_core::store::StoreError;

use super::rows::{count, number, parsed, time};
use super::{Reading, Row, Sql, Writing};

const COLUMNS: &str = "collection, name, version, body, changed_at, changed_by";

fn document(row: &Row<'_>) -> Result<StoredDocument, StoreError> {
    Ok(StoredDocument {
        collection: parsed(&row.get::<String>("collection")?, "a document's collection")?,
        name: parsed(&row.get::<String>("name")?, "a document's name")?,
        version: count(row.get("version")?, "a document's version")?,
        body: row.get("body")?,
        changed: Timestamp::from_seconds(row.get("changed_at")?),
        by: parsed(&row.get::<String>("changed_by")?, "who changed a document")?,
    })
}

impl<D: Reading> DocumentRead for Sql<D> {
    fn document(
        &self,
        collection: &CollectionName,
        name: &DocumentName,
    ) -> Result<Option<StoredDocument>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM documents WHERE collection = $1 AND name = $2");
        self.read(&sql, (collection.as_str(), name.as_str()), document)
    }

    fn document_version(
        &self,
        collection: &CollectionName,
        name: &DocumentName,
        version: u64,
    ) -> Result<Option<StoredDocument>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM document_versions WHERE collection = $1 AND name = $2 AND version = $3"
        );
        self.read(&sql, (collection.as_str(), name.as_str(), number(version)?), document)
    }

    fn documents_after(
        &self,
        collection: &CollectionName,
        after: &str,
        most: u64,
    ) -> Result<Vec<StoredDocument>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM documents
             WHERE collection = $1 AND name > $2 AND body IS NOT NULL ORDER BY name LIMIT $3"
        );
        self.read_all(&sql, (collection.as_str(), after, number(most)?), document)
    }
}

impl<D: Writing> DocumentStore for Sql<D> {
    fn put_document(&self, document: &StoredDocument, over: u64) -> Result<bool, StoreError> {
        let StoredDocument { collection, name, version, body, changed, by } = document;
        if over == 0 {
            let added = self.write(
                "INSERT INTO documents (collection, name, version, body, changed_at, changed_by)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                (collection.as_str(), name.as_str(), number(*version)?, body, time(*changed), by.as_str()),
            )?;
            return Ok(added == 1);
        }
        if body.is_some() {
            self.write(
                "INSERT INTO document_versions (collection, name, version, body, changed_at, changed_by)
                 SELECT collection, name, version, body, changed_at, changed_by FROM documents
                 WHERE collection = $1 AND name = $2 AND version = $3 AND body IS NOT NULL",
                (collection.as_str(), name.as_str(), number(over)?),
            )?;
        }
        self.0.wipe_what_is_deleted()?;
        let replaced = self.write(
            "UPDATE documents SET version = $4, body = $5, changed_at = $6, changed_by = $7
             WHERE collection = $1 AND name = $2 AND version = $3",
            (
                collection.as_str(),
                name.as_str(),
                number(over)?,
                number(*version)?,
                body,
                time(*changed),
                by.as_str(),
            ),
        )?;
        if replaced == 0 {
            return Ok(false);
        }
        let kept_from = match body {
            Some(_) => version.saturating_sub(limits::DOCUMENT_VERSIONS - 1),
            None => *version,
        };
        self.write(
            "DELETE FROM document_versions WHERE collection = $1 AND name = $2 AND version < $3",
            (collection.as_str(), name.as_str(), number(kept_from)?),
        )?;
        Ok(true)
    }
}
