//! Collections, who administers them, and who was granted what.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, CollectionName};
use countersign_protocol::life::Life;
use countersign_protocol::message::result::{Access, Grant};
use countersign_server_core::collections::{Collection, CollectionRead, CollectionStore};
use countersign_server_core::store::StoreError;

use super::rows::{number, parsed, time};
use super::{Reading, Row, Sql, Writing};

const COLUMNS: &str = "name, owner, schema, state, created_at";

fn collection(row: &Row<'_>) -> Result<Collection, StoreError> {
    Ok(Collection {
        name: parsed(&row.get::<String>("name")?, "a collection's name")?,
        owner: parsed(&row.get::<String>("owner")?, "a collection's owner")?,
        schema: row.get("schema")?,
        state: parsed(&row.get::<String>("state")?, "a collection's state")?,
        created: Timestamp::from_seconds(row.get("created_at")?),
    })
}

impl<D: Reading> CollectionRead for Sql<D> {
    fn collection(&self, name: &CollectionName) -> Result<Option<Collection>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM collections WHERE name = $1");
        self.read(&sql, [name.as_str()], collection)
    }
}

impl<D: Writing> CollectionStore for Sql<D> {
    fn add_collection(&self, collection: &Collection) -> Result<bool, StoreError> {
        let added = self.write(
            "INSERT INTO collections (name, owner, schema, state, state_at, created_at)
             VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING",
            (
                collection.name.as_str(),
                collection.owner.as_str(),
                collection.schema.as_deref(),
                collection.state.as_str(),
                time(collection.created),
            ),
        )?;
        Ok(added == 1)
    }

    fn collections_after(
        &self,
        after: &str,
        concerning: Option<&AccountName>,
        most: u64,
    ) -> Result<Vec<Collection>, StoreError> {
        match concerning {
            Some(account) => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM collections
                     WHERE name > $1
                       AND (owner = $3
                            OR name IN (SELECT collection FROM collection_administrators WHERE account = $3)
                            OR name IN (SELECT collection FROM collection_grants WHERE account = $3))
                     ORDER BY name LIMIT $2"
                );
                self.read_all(&sql, (after, number(most)?, account.as_str()), collection)
            }
            None => {
                let sql = format!("SELECT {COLUMNS} FROM collections WHERE name > $1 ORDER BY name LIMIT $2");
                self.read_all(&sql, (after, number(most)?), collection)
            }
        }
    }

    fn move_collection(
        &self,
        name: &CollectionName,
        from: Life,
        to: Life,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let moved = self.write(
            "UPDATE collections SET state = $3, state_at = $4 WHERE name = $1 AND state = $2",
            (name.as_str(), from.as_str(), to.as_str(), time(at)),
        )?;
        Ok(moved == 1)
    }

    fn put_schema(&self, name: &CollectionName, schema: Option<&str>) -> Result<bool, StoreError> {
        let put = self.write(
            "UPDATE collections SET schema = $2 WHERE name = $1 AND state <> 'retired'",
            (name.as_str(), schema),
        )?;
        Ok(put == 1)
    }

    fn appointed(&self, name: &CollectionName) -> Result<Vec<AccountName>, StoreError> {
        self.read_all(
            "SELECT account FROM collection_administrators WHERE collection = $1 ORDER BY account",
            [name.as_str()],
            |row| parsed(&row.get::<String>("account")?, "a collection's administrator"),
        )
    }

    fn appoint(
        &self,
        name: &CollectionName,
        account: &AccountName,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let appointed = self.write(
            "INSERT INTO collection_administrators (collection, account, appointed_at)
             SELECT name, $2, $3 FROM collections WHERE name = $1 AND state <> 'retired'
             ON CONFLICT DO NOTHING",
            (name.as_str(), account.as_str(), time(at)),
        )?;
        Ok(appointed == 1)
    }

    fn dismiss(&self, name: &CollectionName, account: &AccountName) -> Result<bool, StoreError> {
        let dismissed = self.write(
            "DELETE FROM collection_administrators WHERE collection = $1 AND account = $2",
            (name.as_str(), account.as_str()),
        )?;
        Ok(dismissed == 1)
    }

    fn grants(&self, name: &CollectionName, account: Option<&AccountName>) -> Result<Vec<Grant>, StoreError> {
        let read = |row: &Row<'_>| {
            let account: AccountName = parsed(&row.get::<String>("account")?, "whom something is granted")?;
            let access: Access = parsed(&row.get::<String>("access")?, "what is granted")?;
            Ok((account, access))
        };
        let rows = match account {
            Some(account) => self.read_all(
                "SELECT account, access FROM collection_grants WHERE collection = $1 AND account = $2",
                (name.as_str(), account.as_str()),
                read,
            )?,
            None => self.read_all(
                "SELECT account, access FROM collection_grants WHERE collection = $1 ORDER BY account",
                [name.as_str()],
                read,
            )?,
        };
        let mut grants: Vec<Grant> = Vec::new();
        for (account, access) in rows {
            match grants.last_mut().filter(|last| last.account == account) {
                Some(last) => last.access.push(access),
                None => grants.push(Grant { account, access: vec![access] }),
            }
        }
        grants.iter_mut().for_each(|grant| grant.access.sort());
        Ok(grants)
    }

    fn grant(
        &self,
        name: &CollectionName,
        account: &AccountName,
        access: Access,
        by: &AccountName,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let granted = self.write(
            "INSERT INTO collection_grants (collection, account, access, granted_by, granted_at)
             SELECT name, $2, $3, $4, $5 FROM collections WHERE name = $1 AND state <> 'retired'
             ON CONFLICT DO NOTHING",
            (name.as_str(), account.as_str(), access.as_str(), by.as_str(), time(at)),
        )?;
        Ok(granted == 1)
    }

    fn withdraw(
        &self,
        name: &CollectionName,
        account: &AccountName,
        access: Access,
    ) -> Result<bool, StoreError> {
        let withdrawn = self.write(
            "DELETE FROM collection_grants WHERE collection = $1 AND account = $2 AND access = $3",
            (name.as_str(), account.as_str(), access.as_str()),
        )?;
        Ok(withdrawn == 1)
    }
}
