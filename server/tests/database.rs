//! The database of one test: a file, or one of its own on the PostgreSQL server that `COUNTERSIGN_TEST_POSTGRES` names
//! (`host=… user=…`, without a database; that user may make some).

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use countersign_server::config::{Config, Store};
use countersign_server::data::DataFolder;
use countersign_server::store::Database;
use countersign_server::store::postgres::PostgresStore;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// The variable with the address of the server.
const SERVER: &str = "COUNTERSIGN_TEST_POSTGRES";

/// Whether this is the pass on PostgreSQL.
pub(crate) fn is_postgres() -> bool {
    server().is_some()
}

#[expect(clippy::disallowed_methods, reason = "how `cargo xtask test` tells a test program where it runs")]
pub(crate) fn server() -> Option<String> {
    std::env::var(SERVER).ok()
}

/// A database of one's own, for as long as anybody uses it.
pub(crate) struct Fresh {
    name: Option<String>,
    /// What `server.toml` says of it.
    pub(crate) store: Store,
}

impl Fresh {
    pub(crate) fn make() -> Self {
        let Some(server) = server() else { return Self { name: None, store: Store::default() } };
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        let client = Client::of_server(&server);
        sweep(&client);
        client.run(&format!("CREATE DATABASE {name} TEMPLATE {}", template(&server)));
        let postgres = format!("{server} dbname={name}").parse().unwrap();
        Self { name: Some(name), store: Store { postgres: Some(postgres), password_file: None } }
    }

    /// What `init` is told of it.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let address = self.store.postgres.clone().map(String::from);
        address.into_iter().flat_map(|address| ["--postgres".to_owned(), address]).collect()
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // As with a file that is removed, whoever has it open still may go on with it.
        if let Some(name) = self.name.take() {
            LEFT.lock().unwrap().push(name);
        }
    }
}

/// Databases that nobody needs any more, except for who is connected still.
static LEFT: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn sweep(client: &Client) {
    let left = std::mem::take(&mut *LEFT.lock().unwrap());
    for name in left {
        if client.number(&format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'")) == 0 {
            client.run(&format!("DROP DATABASE {name}"));
        } else {
            LEFT.lock().unwrap().push(name);
        }
    }
}

/// A database with empty tables, to be copied.
fn template(server: &str) -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let name = format!("template_{}", std::process::id());
        let client = Client::of_server(server);
        client.run(&format!("CREATE DATABASE {name}"));
        drop(PostgresStore::create(format!("{server} dbname={name}").parse().unwrap()).unwrap());
        // It can be copied when nobody is connected with it any more.
        let connected = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
        while client.number(&connected) > 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        name
    })
}

/// Where the server in this folder keeps what it knows.
pub(crate) fn of(folder: &DataFolder) -> Database {
    Config::read(&folder.config()).unwrap().store.database(folder).unwrap()
}

/// All that lies in the database of this folder, as it lies there.
pub(crate) fn everything_in(folder: &DataFolder) -> Vec<u8> {
    match Intruder::in_folder(folder) {
        Intruder::File(_) => {
            let database = folder.database();
            let beside = database.with_file_name(format!("{}-wal", database.file_name().unwrap().display()));
            [std::fs::read(&database).unwrap(), std::fs::read(beside).unwrap_or_default()].concat()
        }
        Intruder::Server(client) => client.everything(),
    }
}

/// Somebody who reads and writes beside the server, without its rules.
pub(crate) enum Intruder {
    File(rusqlite::Connection),
    Server(Client),
}

impl Intruder {
    pub(crate) fn in_folder(folder: &DataFolder) -> Self {
        match Config::read(&folder.config()).unwrap().store.postgres {
            None => Self::File(rusqlite::Connection::open(folder.database()).unwrap()),
            Some(address) => Self::Server(Client::connect(&String::from(address))),
        }
    }

    /// Runs statements that both databases understand.
    pub(crate) fn run(&self, sql: &str) {
        self.either(sql, sql);
    }

    /// Runs the one or the other.
    pub(crate) fn either(&self, file: &str, server: &str) {
        match self {
            Self::File(connection) => connection.execute_batch(file).unwrap(),
            Self::Server(client) => client.run(server),
        }
    }

    /// Runs statements in SQLite's spelling, whatever refers to what.
    pub(crate) fn edit(&self, sql: &str) {
        let hex = regex::Regex::new("x'([0-9a-f]*)'").unwrap();
        let bytes = hex.replace_all(sql, "decode('$1', 'hex')");
        let bytes = bytes.replace("zeroblob(32)", "decode(repeat('00', 32), 'hex')");
        self.either(
            &format!("PRAGMA foreign_keys = OFF; {sql}"),
            &format!("SET session_replication_role = 'replica'; {bytes}"),
        );
    }

    /// One number.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        match self {
            Self::File(connection) => connection.query_row(sql, [], |row| row.get(0)).unwrap(),
            Self::Server(client) => client.number(sql),
        }
    }

    /// Lets nobody write until [`Self::give_back`].
    pub(crate) fn take_the_writers_turn(&self) {
        self.either("BEGIN IMMEDIATE", "BEGIN; SELECT pg_advisory_xact_lock(1668509551, 1)");
    }

    pub(crate) fn give_back(&self) {
        self.run("ROLLBACK");
    }

    /// PostgreSQL does this in each commit of a reply, until [`Self::let_commits_be`].
    pub(crate) fn in_commits(&self, statement: &str) {
        self.run(&format!(
            "CREATE FUNCTION in_commit() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {statement}; RETURN NULL; END$$;
             CREATE CONSTRAINT TRIGGER in_commit AFTER INSERT ON replies DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION in_commit()"
        ));
    }

    pub(crate) fn let_commits_be(&self) {
        self.run("DROP TRIGGER in_commit ON replies");
    }
}

/// A connection with PostgreSQL.
pub(crate) struct Client {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Client {
    fn of_server(server: &str) -> Self {
        Self::connect(&format!("{server} dbname=postgres"))
    }

    pub(crate) fn connect(address: &str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (client, connection) = runtime.block_on(tokio_postgres::connect(address, NoTls)).unwrap();
        runtime.spawn(connection);
        Self { runtime, client }
    }

    pub(crate) fn run(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap();
    }

    /// With which code PostgreSQL refuses this; nothing if it does it.
    pub(crate) fn refusal(&self, sql: &str) -> Option<String> {
        let said = self.runtime.block_on(self.client.batch_execute(sql)).err()?;
        Some(said.code().unwrap().code().to_owned())
    }

    /// The first column of each row.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.runtime.block_on(self.client.query(sql, &[])).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    fn number(&self, sql: &str) -> i64 {
        let messages = self.runtime.block_on(self.client.simple_query(sql)).unwrap();
        let row = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        row.unwrap().get(0).unwrap().parse().unwrap()
    }

    /// Every value of every column that is text or bytes.
    fn everything(&self) -> Vec<u8> {
        let columns =
            "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
                       WHERE table_schema = 'public' AND data_type IN ('text', 'bytea')";
        let columns = self.runtime.block_on(self.client.query(columns, &[])).unwrap();
        let values = columns.iter().flat_map(|row| {
            let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            let value = if kind == "text" { format!("convert_to({column}, 'UTF8')") } else { column.clone() };
            let sql = format!("SELECT {value} FROM {table} WHERE {column} IS NOT NULL");
            self.runtime.block_on(self.client.query(&sql, &[])).unwrap()
        });
        values.flat_map(|row| row.get::<_, Vec<u8>>(0)).collect()
    }
}
