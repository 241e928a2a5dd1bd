//! The tables, written once for every database: statements in the SQL that all of them understand.
//!
//! A parameter is written `$1`, `$2` …, in any order. A value is an [`Value::Integer`] (times are seconds since 1970), a
//! text or bytes; there is no truth value but 0 and 1. What a database does not share with the others is its driver's:
//! it implements [`Reading`], and [`Writing`] where it may write.
//!
//! A new table is one file here and one migration for each database.

mod accounts;
mod ahead;
mod alone;
mod applications;
mod audit;
mod codes;
mod collections;
mod contacts;
mod documents;
mod emergency;
mod erasure;
mod forgetting;
mod handshakes;
mod instances;
mod keys;
mod ledger;
mod offline;
mod outbox;
mod outlet;
mod policies;
mod queue;
mod recoveries;
mod registrations;
mod replies;
mod requests;
mod rotations;
mod row;
mod rows;
mod server_keys;
mod standings;
mod table;
mod tokens;
mod value;

use std::cell::Cell;

use countersign_server_core::ledger::Tip;
use countersign_server_core::store::{Expected, StoreError, Transaction, View};

pub(super) use self::ahead::Question;
pub(super) use self::row::Row;
pub(super) use self::table::{Kind, Table};
use self::value::Params;
pub(super) use self::value::Value;

/// A connection that reads.
pub(super) trait Reading {
    /// Runs a statement that reads, and hands each of its rows to `row` until that says `false`.
    ///
    /// # Errors
    /// The database's, or what `row` returned.
    fn query(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError>;

    /// Whether it gains anything by [`Self::look_ahead`].
    fn looks_ahead(&self) -> bool {
        false
    }

    /// Asks all of these at once. Whoever asks one of them after that finds the answer there, as long as it holds.
    ///
    /// # Errors
    /// The database's.
    fn look_ahead(&self, questions: Vec<Question>) -> Result<(), StoreError> {
        drop(questions);
        Ok(())
    }

    /// Where the log ends, if that is known without asking.
    fn known_tip(&self) -> Option<Tip> {
        None
    }

    /// It ends there.
    fn learn_tip(&self, tip: &Tip) {
        let _ = tip;
    }
}

/// A connection that sees committed state only.
pub(super) trait Snapshot: Reading {}

/// A connection with a transaction open that may write. Dropped without [`Writing::commit`], it leaves nothing behind.
pub(super) trait Writing: Reading {
    /// Runs one statement that writes; the number of rows it changed.
    ///
    /// # Errors
    /// The database's.
    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64, StoreError>;

    /// Runs one statement that writes, and does not look how many rows it changed: it may be on its way still when this
    /// returns. An error is then that of the next statement, or of the commit.
    ///
    /// # Errors
    /// The database's.
    fn execute_unseen(&self, sql: &str, params: &[Value<'_>]) -> Result<(), StoreError> {
        self.execute(sql, params).map(drop)
    }

    /// Runs one statement that writes, and hands each row that it returns to `row`.
    ///
    /// # Errors
    /// The database's, or what `row` returned.
    fn execute_returning(
        &self,
        sql: &str,
        params: &[Value<'_>],
        row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError>;

    /// Adds a row. It may be on its way still when this returns; an error is then that of the next statement, or of the commit.
    ///
    /// # Errors
    /// The database's, also if there is a row with that key.
    fn add(&self, to: &'static Table, row: &[Value<'_>]) -> Result<(), StoreError> {
        self.execute_unseen(&to.add_one(), row)
    }

    /// Adds a row unless there is one with its key, which is its first value; whether it did. `find` finds that one by it.
    ///
    /// # Errors
    /// The database's.
    fn add_new(&self, to: &'static Table, find: &str, row: &[Value<'_>]) -> Result<bool, StoreError> {
        let _ = find;
        Ok(self.execute(&to.add_new(), row)? == 1)
    }

    /// Runs one statement that writes, of which only the last one of its kind counts, whoever runs it before the commit.
    ///
    /// # Errors
    /// The database's.
    fn execute_last(&self, sql: &'static str, params: &[Value<'_>]) -> Result<(), StoreError> {
        self.execute_unseen(sql, params)
    }

    /// From here on until the transaction ends, what is deleted is overwritten in the file, where the database can do that.
    ///
    /// # Errors
    /// The database's.
    fn wipe_what_is_deleted(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Says to other processes that listen, once this is committed, that something changed.
    ///
    /// # Errors
    /// The database's.
    fn announce(&self) -> Result<(), StoreError>;

    /// Makes everything durable at once.
    ///
    /// # Errors
    /// The database's; then nothing of it happened.
    fn commit(self) -> Result<(), StoreError>;
}

/// The tables over one connection.
pub(super) struct Sql<D>(D, Unsealed);

/// Entries of the ledger that the transaction stored since its last checkpoint.
#[derive(Default)]
struct Unsealed {
    now: Cell<u64>,
    /// The same at the transaction's mark.
    marked: Cell<u64>,
}

impl<D> Sql<D> {
    /// Over a connection that has stored nothing in its transaction so far.
    pub(super) fn over(connection: D) -> Self {
        Self(connection, Unsealed::default())
    }

    /// What it is over.
    pub(super) const fn connection(&self) -> &D {
        &self.0
    }

    /// The same, alone.
    pub(super) fn into_connection(self) -> D {
        self.0
    }
}

impl<D: Reading> Sql<D> {
    /// Reads one row, if there is one.
    fn read<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut row: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut found = None;
        self.0.query(sql, &params.values(), &mut |at| {
            found = Some(row(at)?);
            Ok(false)
        })?;
        Ok(found)
    }

    /// Reads all rows.
    fn read_all<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut row: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        self.0.query(sql, &params.values(), &mut |at| {
            found.push(row(at)?);
            Ok(true)
        })?;
        Ok(found)
    }
}

impl<D: Writing> Sql<D> {
    /// Runs one statement that writes; the number of rows it changed.
    fn write(&self, sql: &str, params: impl Params) -> Result<u64, StoreError> {
        self.0.execute(sql, &params.values())
    }

    /// Runs one statement that writes, whatever it changes: see [`Writing::execute_unseen`].
    fn write_unseen(&self, sql: &str, params: impl Params) -> Result<(), StoreError> {
        self.0.execute_unseen(sql, &params.values())
    }

    /// Runs one statement that writes and returns the row it changed, if it changed one.
    fn write_returning<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut row: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut returned = None;
        self.0.execute_returning(sql, &params.values(), &mut |at| {
            returned = Some(row(at)?);
            Ok(false)
        })?;
        Ok(returned)
    }

    /// Runs one statement that writes and returns the rows it changed.
    fn write_returning_all<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut row: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut returned = Vec::new();
        self.0.execute_returning(sql, &params.values(), &mut |at| {
            returned.push(row(at)?);
            Ok(true)
        })?;
        Ok(returned)
    }

    /// See [`Writing::add`].
    fn add(&self, to: &'static Table, row: impl Params) -> Result<(), StoreError> {
        self.0.add(to, &row.values())
    }

    /// See [`Writing::add_new`].
    fn add_new(&self, to: &'static Table, find: &str, row: impl Params) -> Result<bool, StoreError> {
        self.0.add_new(to, find, &row.values())
    }

    /// See [`Writing::execute_last`].
    fn write_last(&self, sql: &'static str, params: impl Params) -> Result<(), StoreError> {
        self.0.execute_last(sql, &params.values())
    }
}

impl<D: Snapshot> View for Sql<D> {
    fn expect(&self, rows: &[Expected<'_>]) -> Result<(), StoreError> {
        self.look_ahead(rows)
    }
}

impl<D: Writing> Transaction for Sql<D> {
    fn mark(&self) -> Result<(), StoreError> {
        self.1.marked.set(self.1.now.get());
        self.write("SAVEPOINT mark", ()).map(drop)
    }

    fn back_to_mark(&self) -> Result<(), StoreError> {
        self.1.now.set(self.1.marked.get());
        self.write("ROLLBACK TO SAVEPOINT mark", ())?;
        self.write("RELEASE SAVEPOINT mark", ()).map(drop)
    }

    fn announce(&self) -> Result<(), StoreError> {
        self.0.announce()
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.0.commit()
    }
}
