//! A server's database goes from a file to a PostgreSQL server, all of it or nothing.
//!
//! Everything is written in one transaction there, while nobody writes here. In the same moment the file is marked: from then
//! on nothing can be recorded in it, whoever has it open still, and nothing that is not recorded happens. A move that was
//! interrupted is begun again, or found done.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_protocol::ids::Digest;
use countersign_server_core::ledger::{Ledger, LedgerRead as _};
use countersign_server_core::store::StoreError;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::CrashPoint;
use super::postgres::{Address, PostgresStore};
use super::sql::{Reading, Value, Writing};

/// The trigger that is the mark. It names itself to whoever writes.
const MARK: &str = "moved_to_postgres";

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// Entries of the ledger.
    pub entries: u64,
    /// Root over them, in both.
    pub root: Digest,
    /// It had been moved before; only the mark was missing.
    pub before: bool,
}

/// Whether nothing may be served from this file any more.
///
/// # Errors
/// [`StoreError`].
pub(super) fn is_moved(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name = ?1";
    connection.query_row(sql, [MARK], |row| row.get::<_, i64>(0)).map(|found| found > 0).map_err(unavailable)
}

/// Moves the database in the file at `from`, whose tables are up to this program's. `crash` is asked before everything is made
/// durable there, and before the file is marked.
///
/// # Errors
/// [`StoreError`]; then the file is what it was, and nothing is there. Only where the connection was lost at the very end, or
/// the file could not be marked, everything is there already: the text says so where it is known, and the same move once more
/// finds it, and marks the file.
pub fn to_postgres(
    from: &Path,
    to: &Address,
    ledger: &Ledger,
    crash: &CrashPoint,
) -> Result<Moved, StoreError> {
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(unavailable)?;
    source.pragma_update(None, "synchronous", "FULL").map_err(unavailable)?;
    source.busy_timeout(std::time::Duration::from_secs(30)).map_err(unavailable)?;
    // Nobody else writes until it is marked.
    source.execute_batch("BEGIN IMMEDIATE").map_err(unavailable)?;
    if is_moved(&source)? {
        return Err(StoreError::Unavailable(format!("{} was moved to PostgreSQL before", from.display())));
    }
    let tables = tables(&source)?;
    let (store, before) = match PostgresStore::create(to.clone()) {
        Ok(store) => (store, false),
        // Interrupted after everything was there? Or somebody else's?
        Err(error) => (PostgresStore::open(to.clone(), CrashPoint::never()).map_err(|_| error)?, true),
    };
    let tx = store.writing()?;
    let mut rows = BTreeMap::new();
    for table in &tables {
        let count = if before { counted(&source, table)? } else { table.copy(&source, tx.connection())? };
        let there = table.count(tx.connection())?;
        if there != i64::try_from(count).ok() {
            return Err(StoreError::Unavailable(format!(
                "{to} holds something else already: {} rows of {} and not {count}. Name an empty database",
                there.unwrap_or_default(),
                table.name
            )));
        }
        rows.insert(table.name.clone(), count);
    }
    let failed = |error: &dyn std::fmt::Display| StoreError::Unavailable(error.to_string());
    let (entries, note) = tx.tip().map_err(|error| failed(&error))?.checkpoint.unwrap_or_default();
    let root = ledger.root(&tx, entries).map_err(|error| failed(&error))?;
    let signed = ledger.key().checkpoint(&note).ok().map(|signed| signed.root());
    let here: (i64, String) = source
        .query_row("SELECT size, note FROM ledger_checkpoint", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(unavailable)?;
    if signed != Some(root) || (Ok(here.0), here.1) != (i64::try_from(entries), note) {
        return Err(StoreError::Unavailable(format!(
            "the ledger that {to} holds is not the one of {}; name an empty database",
            from.display()
        )));
    }
    let mark = format!(
        "CREATE TRIGGER {MARK} BEFORE INSERT ON ledger_entries
         BEGIN SELECT RAISE(ABORT, 'this database was moved to PostgreSQL: name that in [store] of server.toml'); END;
         CREATE TRIGGER {MARK}_too BEFORE INSERT ON replies
         BEGIN SELECT RAISE(ABORT, 'this database was moved to PostgreSQL: name that in [store] of server.toml'); END"
    );
    source.execute_batch(&mark).map_err(unavailable)?;
    crash.wrote();
    if !before {
        tx.into_connection().commit()?;
    }
    crash.wrote();
    source.execute_batch("COMMIT").map_err(|error| {
        StoreError::Unavailable(format!(
            "everything is in {to}, but {} could not be marked: {error}. Start no server before the same command was run once \
             more: it marks the file",
            from.display()
        ))
    })?;
    Ok(Moved { rows, entries, root, before })
}

/// A table, after those that it points to.
struct Table {
    name: String,
    columns: Vec<String>,
}

/// All of them but those of the database itself.
fn tables(source: &Connection) -> Result<Vec<Table>, StoreError> {
    let texts = |sql: &str, of: &str| -> Result<Vec<String>, StoreError> {
        let mut statement = source.prepare(sql).map_err(unavailable)?;
        let found = statement.query_map([of], |row| row.get::<_, String>(0)).map_err(unavailable)?;
        found.collect::<Result<_, _>>().map_err(unavailable)
    };
    let names = texts(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> ?1 ORDER BY name",
        "refinery_schema_history",
    )?;
    let (mut left, mut ordered) = (names, Vec::<Table>::new());
    while !left.is_empty() {
        let mut later = Vec::new();
        let count = left.len();
        for name in left {
            let points_to = texts("SELECT \"table\" FROM pragma_foreign_key_list(?1)", &name)?;
            let is_ready = points_to
                .iter()
                .all(|other| *other == name || ordered.iter().any(|table| table.name == *other));
            if is_ready {
                let columns = texts("SELECT name FROM pragma_table_info(?1)", &name)?;
                ordered.push(Table { name, columns });
            } else {
                later.push(name);
            }
        }
        if later.len() == count {
            return Err(StoreError::Corrupt(format!(
                "tables that point to each other: {}",
                later.join(", ")
            )));
        }
        left = later;
    }
    Ok(ordered)
}

fn counted(source: &Connection, table: &Table) -> Result<u64, StoreError> {
    let sql = format!("SELECT count(*) FROM {}", table.name);
    let count: i64 = source.query_row(&sql, [], |row| row.get(0)).map_err(unavailable)?;
    u64::try_from(count).map_err(|_| StoreError::Corrupt(table.name.clone()))
}

impl Table {
    fn count(&self, of: &impl Reading) -> Result<Option<i64>, StoreError> {
        let mut count = None;
        of.query(&format!("SELECT count(*) FROM {}", self.name), &[], &mut |row| {
            count = Some(row.get::<i64>(0)?);
            Ok(false)
        })?;
        Ok(count)
    }

    fn copy(&self, source: &Connection, to: &impl Writing) -> Result<u64, StoreError> {
        let columns = self.columns.join(", ");
        let places: Vec<String> = (1..=self.columns.len()).map(|place| format!("${place}")).collect();
        let insert = format!("INSERT INTO {} ({columns}) VALUES ({})", self.name, places.join(", "));
        let mut statement =
            source.prepare(&format!("SELECT {columns} FROM {}", self.name)).map_err(unavailable)?;
        let mut rows = statement.query([]).map_err(unavailable)?;
        let mut count = 0;
        while let Some(row) = rows.next().map_err(unavailable)? {
            let mut values = Vec::with_capacity(self.columns.len());
            for place in 0..self.columns.len() {
                values.push(match row.get_ref(place).map_err(unavailable)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(number) => Value::Integer(number),
                    ValueRef::Text(text) => Value::Text(
                        std::str::from_utf8(text).map_err(|_| StoreError::Corrupt(self.name.clone()))?,
                    ),
                    ValueRef::Blob(bytes) => Value::Blob(bytes),
                    ValueRef::Real(_) => return Err(StoreError::Corrupt(self.name.clone())),
                });
            }
            to.execute_unseen(&insert, &values)?;
            count += 1;
        }
        Ok(count)
    }
}

fn unavailable(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
