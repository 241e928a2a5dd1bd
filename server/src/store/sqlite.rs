//! SQLite: one file, one writer at a time, durable at every commit. Those who wait for their turn share one commit.
//!
//! `journal_mode=WAL` lets readers go on beside the writer; `synchronous=FULL` makes a commit wait for the disk.
//! Several processes may open one file: a transaction that may write takes SQLite's one write lock at once
//! (`BEGIN IMMEDIATE`), so it can never find out half-way that somebody else was first.

mod checkpoints;
mod line;
mod transaction;
mod view;

pub use super::faults::CrashPoint;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_server_core::store::{Expected, Store, StoreError, Transaction, View};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, ToSql};

use self::checkpoints::Checkpoints;
pub(super) use self::line::SqliteLine;
pub(super) use self::transaction::SqliteTransaction;
use self::view::SqliteView;
use super::group::Writer;
use super::sql::{Row, Sql, Value};
use super::tables::TablesError;
use super::{moving, tables};

mod embedded {
    refinery::embed_migrations!("src/store/sqlite/migrations");
}

/// How long a transaction waits for another process's.
const PATIENCE: Duration = Duration::from_secs(5);

/// A database file.
pub struct SqliteStore {
    path: PathBuf,
    /// Ends before the others: who is last empties the log.
    checkpoints: Checkpoints,
    writer: Writer<SqliteLine>,
    readers: Mutex<Vec<Connection>>,
    crash: CrashPoint,
}

impl SqliteStore {
    /// Fills an empty file, which the caller made private.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        if std::fs::metadata(path).is_ok_and(|there| there.len() > 0) {
            return Err(StoreError::Unavailable(format!("{} is not empty", path.display())));
        }
        Self::connect(path, CrashPoint::never())
    }

    /// Opens a file that is there, and brings its tables up to this program's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path, crash: CrashPoint) -> Result<Self, StoreError> {
        Self::connect(path, crash)
    }

    /// Opens a file whose tables are this program's, beside whoever made them.
    ///
    /// # Errors
    /// [`TablesError`].
    pub fn open_as_it_is(path: &Path) -> Result<Self, TablesError> {
        let writer = Self::begin(path)?;
        let has_any = "SELECT count(*) FROM sqlite_master WHERE name = 'refinery_schema_history'";
        let has_any: i64 = writer.query_row(has_any, [], |row| row.get(0)).map_err(unavailable)?;
        let applied: Vec<tables::Change> = if has_any == 0 {
            Vec::new()
        } else {
            let mut asked = writer.prepare(tables::APPLIED).map_err(unavailable)?;
            let found = asked.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(unavailable)?;
            found.collect::<Result<_, _>>().map_err(unavailable)?
        };
        let own = embedded::migrations::runner();
        tables::compare(&path.display().to_string(), &applied, own.get_migrations())?;
        Ok(Self::over(path, writer, CrashPoint::never()))
    }

    fn connect(path: &Path, crash: CrashPoint) -> Result<Self, StoreError> {
        let mut writer = Self::begin(path)?;
        embedded::migrations::runner()
            .run(&mut writer)
            .map_err(|error| StoreError::Corrupt(format!("{}: its tables: {error}", path.display())))?;
        Ok(Self::over(path, writer, crash))
    }

    /// A connection that may write, to a file that is good still.
    fn begin(path: &Path) -> Result<Connection, StoreError> {
        let opened = |error: rusqlite::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
        let writer = writer(path).map_err(opened)?;
        if moving::is_moved(&writer)? {
            return Err(StoreError::Unavailable(format!(
                "{}: this database was moved to PostgreSQL; name that in [store] of server.toml",
                path.display()
            )));
        }
        Ok(writer)
    }

    fn over(path: &Path, writer: Connection, crash: CrashPoint) -> Self {
        Self {
            path: path.to_owned(),
            checkpoints: Checkpoints::of(path),
            writer: Writer::new(SqliteLine::new(path, writer)),
            readers: Mutex::default(),
            crash,
        }
    }

    /// Copies what is committed now into the file at `path`, which is there and empty, while others write. What was
    /// deleted is not in the copy.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn copy_into(&self, path: &Path) -> Result<(), StoreError> {
        let connection = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .map_err(unavailable)?;
        prepare(&connection).map_err(unavailable)?;
        let name = path
            .to_str()
            .ok_or_else(|| StoreError::Unavailable(format!("{}: a name that is no text", path.display())))?;
        connection.execute("VACUUM INTO ?1", [name]).map_err(unavailable)?;
        Ok(())
    }

    /// Ends all connections, and leaves one file.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn close(self) -> Result<(), StoreError> {
        let Self { checkpoints, writer, readers, .. } = self;
        drop((checkpoints, readers));
        let writer = writer.into_line().connection;
        writer.pragma_update(None, "journal_mode", "DELETE").map_err(unavailable)?;
        writer.close().map_err(|(_, error)| unavailable(error))
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let connection = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .map_err(unavailable)?;
        prepare(&connection).map_err(unavailable)?;
        connection.pragma_update(None, "query_only", true).map_err(unavailable)?;
        Ok(connection)
    }

    fn put_back(&self, connection: Connection) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

fn writer(path: &Path) -> Result<Connection, rusqlite::Error> {
    let writer = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare(&writer)?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    writer.pragma_update(None, "synchronous", "FULL")?;
    writer.pragma_update(None, "secure_delete", "FAST")?;
    // 32 MiB: nonces, names of messages and the rows that each login reads stay in memory.
    writer.pragma_update(None, "cache_size", -32 * 1024)?;
    // What is left of a checkpoint by then. Most of it is done beside the writer.
    writer.pragma_update(None, "wal_autocheckpoint", checkpoints::FINISH_FROM)?;
    Ok(writer)
}

fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // All statements that there are: none is read anew.
    connection.set_prepared_statement_cache_capacity(512);
    // Without this, every new value of a parameter that a plan could depend on has the statement read and planned anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

impl Store for SqliteStore {
    fn begin_expecting(&self, _rows: &[Expected<'_>]) -> Result<Box<dyn Transaction + '_>, StoreError> {
        let member = self.writer.begin(&self.crash, ())?;
        self.checkpoints.somebody_writes();
        Ok(Box::new(Sql::over(SqliteTransaction::of(member, &self.crash))))
    }

    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        Ok(Box::new(Sql::over(SqliteView::new(self, self.reader()?)?)))
    }
}

/// A statement with its parameters in it.
fn prepared<'c>(
    connection: &'c Connection,
    sql: &str,
    params: &[Value<'_>],
) -> Result<CachedStatement<'c>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(unavailable)?;
    for place in 1..=statement.parameter_count() {
        // SQLite numbers `$2` by where it stands, not by what it says.
        let number = statement.parameter_name(place).and_then(|name| name.get(1..)?.parse::<usize>().ok());
        let value = number.and_then(|number| params.get(number.checked_sub(1)?));
        let value = value.ok_or_else(|| {
            StoreError::Unavailable(format!("a statement lacks its parameter {place}: {sql}"))
        })?;
        statement.raw_bind_parameter(place, value).map_err(unavailable)?;
    }
    Ok(statement)
}

/// Hands each row to `row` until that says `false`.
fn rows(
    mut statement: CachedStatement<'_>,
    row: &mut dyn FnMut(&Row<'_>) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let mut rows = statement.raw_query();
    while let Some(found) = rows.next().map_err(unavailable)? {
        if !row(&Row::Sqlite(found))? {
            break;
        }
    }
    Ok(())
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Runs a statement that is the same each time, and is read once.
fn control(connection: &Connection, sql: &'static str) -> Result<(), StoreError> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(())).map_err(unavailable)?;
    Ok(())
}

fn unavailable(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use countersign_protocol::clock::Timestamp;
    use countersign_protocol::ids::Digest;
    use countersign_protocol::message::result::PolicyVersion;

    use super::*;

    #[test]
    fn a_transaction_left_open_gets_into_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::write(&path, b"").unwrap();
        let store = SqliteStore::create(&path).unwrap();
        let left = "BEGIN IMMEDIATE; INSERT INTO ledger_entries (place, entry) VALUES (0, x'00')";
        store.writer.lock().line.connection.execute_batch(left).unwrap();
        let tx = store.begin().unwrap();
        assert_eq!(tx.size().unwrap(), 0);
        tx.commit().unwrap();
        assert_eq!(store.view().unwrap().size().unwrap(), 0);
    }

    /// What is in the folder, after so much was written that the log is copied.
    fn left_after(end: impl FnOnce(SqliteStore)) -> Vec<std::ffi::OsString> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::write(&path, b"").unwrap();
        let store = SqliteStore::create(&path).unwrap();
        let copied = || -> i64 {
            let sql = "PRAGMA wal_checkpoint(NOOP)";
            store.writer.lock().line.connection.query_row(sql, [], |row| row.get(2)).unwrap()
        };
        let sql = "CREATE TABLE things (thing BLOB); INSERT INTO things VALUES (zeroblob(12000000))";
        store.writer.lock().line.connection.execute_batch(sql).unwrap();
        assert_eq!(copied(), 0);
        let begun = std::time::Instant::now();
        while copied() == 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "nobody copies");
            store.begin().unwrap().commit().unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        end(store);
        std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect()
    }

    #[test]
    fn a_store_that_is_closed_or_dropped_leaves_one_file_and_nobody_who_has_it_open() {
        assert_eq!(left_after(|store| store.close().unwrap()), ["db"]);
        assert_eq!(left_after(drop), ["db"]);
    }

    #[test]
    fn a_parameter_is_what_its_number_says_wherever_it_stands() {
        let connection = Connection::open_in_memory().unwrap();
        let params = [Value::Integer(1), Value::Text("two"), Value::Blob(b"three")];
        let statement = prepared(&connection, "SELECT $3, $1, $2, $1", &params).unwrap();
        let mut seen = Vec::new();
        let mut read = |row: &Row<'_>| {
            seen.push((
                row.get::<Vec<u8>>(0).unwrap(),
                row.get::<i64>(1).unwrap(),
                row.get::<String>(2).unwrap(),
                row.get::<i64>(3).unwrap(),
            ));
            Ok(true)
        };
        rows(statement, &mut read).unwrap();
        assert_eq!(seen, [(b"three".to_vec(), 1, "two".to_owned(), 1)]);
        assert!(prepared(&connection, "SELECT $4", &params).is_err());
    }

    #[test]
    fn policies_of_earlier_releases_become_versions_of_one_document() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::write(&path, b"").unwrap();
        let mut before = writer(&path).unwrap();
        let earlier = embedded::migrations::runner().set_target(refinery::Target::Version(17));
        earlier.run(&mut before).unwrap();
        for (epoch, text) in [(1, "a"), (2, "b")] {
            let digest = Digest::of(text.as_bytes());
            let sql = "INSERT INTO policies (epoch, digest, text, since) VALUES (?1, ?2, ?3, 7)";
            before.execute(sql, (epoch, digest.as_bytes(), text)).unwrap();
        }
        drop(before);
        let store = SqliteStore::open(&path, CrashPoint::never()).unwrap();
        let view = store.view().unwrap();
        let name = "default".parse().unwrap();
        let at = |epoch| view.policies_at(epoch).unwrap().pop().map(|document| document.text);
        assert_eq!((view.policy_epoch().unwrap(), at(1), at(2)), (2, Some("a".into()), Some("b".into())));
        let [newest] = view.newest_policies().unwrap().try_into().unwrap();
        assert_eq!((newest.version, newest.digest, newest.by), (2, Some(Digest::of(b"b")), None));
        assert_eq!(view.policy_history(&name).unwrap().len(), 2);
        assert_eq!(view.policy_text(&name, 1).unwrap().as_deref(), Some("a"));
    }

    #[test]
    fn one_number_of_a_change_is_given_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::write(&path, b"").unwrap();
        let store = SqliteStore::create(&path).unwrap();
        let tx = store.begin().unwrap();
        let put = |epoch, name: &str, version, text: Option<&str>| {
            let digest = text.map(|text| Digest::of(text.as_bytes()));
            let since = Timestamp::from_seconds(7);
            let name = name.parse().unwrap();
            tx.change_policy(&PolicyVersion { name, version, digest, epoch, since, by: None }, text).unwrap()
        };
        assert!(put(1, "a", 1, Some("x")) && put(2, "b", 1, Some("y")) && put(3, "a", 2, None));
        assert!(!put(3, "b", 2, Some("z")), "this epoch is taken");
        assert!(!put(4, "b", 1, Some("z")), "this version is there");
        let names = |epoch| -> Vec<String> {
            tx.policies_at(epoch).unwrap().iter().map(|document| document.name.to_string()).collect()
        };
        assert_eq!([names(0), names(1), names(2), names(3)], [vec![], vec!["a"], vec!["a", "b"], vec!["b"]]);
        assert_eq!(tx.newest_policies().unwrap().len(), 2, "what was taken out has a history");
    }
}
