//! What comes out of a statement.

use std::fmt::Display;

use countersign_server_core::store::StoreError;

/// One row of an answer, of whichever database.
pub(in super::super) enum Row<'a> {
    /// SQLite's.
    Sqlite(&'a rusqlite::Row<'a>),
    /// PostgreSQL's, behind so many columns that belong to others.
    Postgres(&'a tokio_postgres::Row, usize),
}

/// What a column can be read as: `i64`, `String`, `Vec<u8>`, and `Option` of these.
pub(in super::super) trait Column:
    rusqlite::types::FromSql + for<'a> tokio_postgres::types::FromSql<'a>
{
}

impl Column for i64 {}

impl Column for String {}

impl Column for Vec<u8> {}

impl<T: Column> Column for Option<T> {}

/// Which column: by place, counted from 0, or by name.
pub(in super::super) trait Place:
    rusqlite::RowIndex + tokio_postgres::row::RowIndex + Display
{
    /// The same place behind so many columns of others.
    fn behind(self, others: usize) -> Self;
}

impl Place for usize {
    fn behind(self, others: usize) -> Self {
        self + others
    }
}

/// A name is where it is.
impl Place for &str {
    fn behind(self, _others: usize) -> Self {
        self
    }
}

impl Row<'_> {
    /// The value of a column.
    ///
    /// # Errors
    /// There is no such column, or it holds something else.
    pub(in super::super) fn get<T: Column>(&self, place: impl Place) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(row) => row.get(place).map_err(|error| StoreError::Corrupt(error.to_string())),
            Self::Postgres(row, others) => {
                row.try_get(place.behind(*others)).map_err(|error| StoreError::Corrupt(error.to_string()))
            }
        }
    }
}
