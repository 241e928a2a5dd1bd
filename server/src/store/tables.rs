//! Which tables a database holds, beside those of this program: for who may not change them.

use countersign_server_core::store::StoreError;
use refinery::Migration;

/// The tables cannot be used as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TablesError {
    /// The database did not do its part; it may do so later.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody made a server there.
    #[error("{0} holds no server; `countersign-server init` makes one in it")]
    None(String),
    /// This program is newer.
    #[error(
        "{place}: its tables are of version {found}, and this program's are of version {own}. Start the auth server \
         of this version first; where another user owns them on PostgreSQL: countersign-server migrate tables --postgres ADDRESS"
    )]
    Older {
        /// Which database.
        place: String,
        /// What it has.
        found: i64,
        /// What this program would make.
        own: i64,
    },
    /// This program is older.
    #[error(
        "{place}: its tables are of version {found}, and this program knows them up to version {own}. Install the version of \
         countersign-server that the auth server has"
    )]
    Newer {
        /// Which database.
        place: String,
        /// What it has.
        found: i64,
        /// What this program would make.
        own: i64,
    },
    /// Neither: somebody else's program, or one that was never released.
    #[error(
        "{0}: its tables were made by another program than this one; install the version of countersign-server that the auth \
         server has"
    )]
    Other(String),
}

/// One change of the tables: its number, and the sum of its text.
pub(super) type Change = (i64, String);

/// What both kinds of databases are asked for their changes.
pub(super) const APPLIED: &str =
    "SELECT CAST(version AS BIGINT), CAST(checksum AS TEXT) FROM refinery_schema_history ORDER BY version";

/// Whether the changes that were made to the tables of `place` are those of this program, and all of them.
///
/// # Errors
/// [`TablesError`], in words for whoever may not change them.
pub(super) fn compare(place: &str, applied: &[Change], own: &[Migration]) -> Result<(), TablesError> {
    let mut own: Vec<Change> =
        own.iter().map(|one| (i64::from(one.version()), one.checksum().to_string())).collect();
    own.sort();
    if applied == own {
        return Ok(());
    }
    let newest = |changes: &[Change]| changes.last().map_or(0, |(version, _)| *version);
    let (place, found, own) = (place.to_owned(), newest(applied), newest(&own));
    Err(match found.cmp(&own) {
        _ if applied.is_empty() => TablesError::None(place),
        std::cmp::Ordering::Less => TablesError::Older { place, found, own },
        std::cmp::Ordering::Greater => TablesError::Newer { place, found, own },
        std::cmp::Ordering::Equal => TablesError::Other(place),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_another_version_are_told_with_what_to_do() {
        let own =
            [("V1__a", "A"), ("V3__b", "B")].map(|(name, sql)| Migration::unapplied(name, sql).unwrap());
        let changes: Vec<Change> =
            own.iter().map(|one| (i64::from(one.version()), one.checksum().to_string())).collect();
        let said = |applied: &[Change]| compare("X", applied, &own).map_err(|error| error.to_string());
        assert_eq!(said(&changes), Ok(()));
        assert!(said(&[]).unwrap_err().contains("X holds no server"));
        assert!(said(&changes[..1]).unwrap_err().contains("migrate tables"));
        let newer = [changes.clone(), vec![(4, "1".to_owned())]].concat();
        assert!(said(&newer).unwrap_err().contains("version 4, and this program knows them up to version 3"));
        let other = [changes[..1].to_vec(), vec![(3, "1".to_owned())]].concat();
        assert!(said(&other).unwrap_err().contains("another program"));
    }
}
