//! `[store]`: another database than a file in the data folder.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Unfit;
use crate::data::{DataError, DataFolder, read_private};
use crate::store::Database;
use crate::store::postgres::Address;

/// Another database than a file in the data folder.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// A PostgreSQL database, as its own programs are told: `host=/var/run/postgresql user=… dbname=…`. Without it
    /// everything is in one file in the data folder.
    pub postgres: Option<Address>,
    /// A file with the password for it, and nothing else.
    pub password_file: Option<PathBuf>,
}

impl Store {
    pub(super) fn check(&self) -> Result<(), Unfit> {
        match (&self.postgres, &self.password_file) {
            (None, Some(_)) => Err(Unfit::new("store.password_file", "is of no use without store.postgres")),
            _ => Ok(()),
        }
    }

    /// Where the server whose keys are in `folder` keeps what it knows.
    ///
    /// # Errors
    /// The file with the password is missing, or others may read it.
    pub fn database(&self, folder: &DataFolder) -> Result<Database, DataError> {
        let Some(address) = self.postgres.clone() else { return Ok(Database::Sqlite(folder.database())) };
        let Some(file) = &self.password_file else { return Ok(Database::Postgres(address)) };
        let secret = read_private(file)?;
        Ok(Database::Postgres(address.with_password(secret.trim_ascii_end())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_with;

    #[test]
    fn an_address_that_cannot_be_used_is_refused_with_what_to_do() {
        let refused = |section: &str| read_with(section).unwrap_err().to_string();
        let says = |section: &str, part: &str| {
            let said = refused(section);
            assert!(said.contains(part), "{part:?} is not in: {said}");
        };
        says("[store]\npostgres = \"host=/run/postgresql\"\n", "dbname=");
        says("[store]\npostgres = \"dbname=x password=secret\"\n", "store.password_file");
        says("[store]\npostgres = \"dbname=x host=db.example\"\n", "tunnel");
        says("[store]\npassword_file = \"/x\"\n", "store.postgres");
        assert!(!refused("[store]\npostgres = \"dbname=x password=secret\"\n").contains("secret"));
        assert!(read_with("[store]\npostgres = \"dbname=x\"\npassword_file = \"/x\"\n").is_ok());
    }
}
