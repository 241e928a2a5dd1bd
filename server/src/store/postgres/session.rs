//! What holds for every connection, and the tables.

use countersign_server_core::store::StoreError;

use super::super::tables::{self, TablesError};
use super::address::Address;
use super::connection::Connection;

mod embedded {
    refinery::embed_migrations!("src/store/postgres/migrations");
}

/// Oldest PostgreSQL that this was written for.
const OLDEST: i64 = 130_000;

/// What every transaction counts on: that nobody waits for ever, neither for a lock nor for a server that hangs in the
/// middle or is gone with its machine; that no value has a statement planned anew; and that a commit is on the disk when it is answered.
const SETTINGS: &str = "
    SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '60s';
    SET statement_timeout = '9s';
    SET plan_cache_mode = 'force_generic_plan';
    SET tcp_user_timeout = '10s';
    SET tcp_keepalives_idle = 5;
    SET tcp_keepalives_interval = 2;
    SET tcp_keepalives_count = 3;
    SET client_min_messages = 'warning'";

/// Sets a new connection up, and looks whether the database can be relied on.
pub(super) fn prepare(connection: &Connection, address: &Address) -> Result<(), StoreError> {
    connection.send_batch(SETTINGS);
    let mut found = (0, String::new(), String::new(), String::new());
    connection.query(
        "SELECT current_setting('server_version_num')::bigint, current_setting('server_encoding'),
                current_setting('fsync'), current_setting('synchronous_commit')",
        &[],
        &mut |row| {
            found = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(false)
        },
    )?;
    let (version, encoding, fsync, synchronous) = found;
    let refuse = |why: &str| Err(StoreError::Unavailable(format!("{address} {why}")));
    if version < OLDEST {
        return refuse("is of a PostgreSQL before 13, which is too old");
    }
    if encoding != "UTF8" {
        return refuse(
            "does not hold UTF-8: make it anew with createdb --encoding=UTF8 --template=template0",
        );
    }
    if fsync != "on" {
        return refuse(
            "forgets what it acknowledged when the power fails: set fsync = on in postgresql.conf",
        );
    }
    if synchronous == "off" {
        // The administrator's for other programs; what we acknowledge must be there.
        connection.batch("SET synchronous_commit = on")?;
    }
    Ok(())
}

/// Whether a server was made in it: its ledger has begun.
pub(super) fn holds_a_server(connection: &Connection) -> Result<bool, StoreError> {
    let table = "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('ledger_entries')";
    Ok(number(connection, table)? > 0 && number(connection, "SELECT count(*) FROM ledger_checkpoint")? > 0)
}

/// A name that no other connection has.
pub(super) fn fresh_name(connection: &Connection) -> Result<String, StoreError> {
    let mut name = String::new();
    connection.query("SELECT gen_random_uuid()::text", &[], &mut |row| {
        name = row.get(0)?;
        Ok(false)
    })?;
    Ok(name)
}

/// Whether the tables are this program's.
///
/// # Errors
/// [`TablesError`].
pub(super) fn compare(connection: &Connection, address: &Address) -> Result<(), TablesError> {
    let table = "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('refinery_schema_history')";
    let mut applied: Vec<tables::Change> = Vec::new();
    if number(connection, table)? > 0 {
        connection.query(tables::APPLIED, &[], &mut |row| {
            applied.push((row.get(0)?, row.get(1)?));
            Ok(true)
        })?;
    }
    tables::compare(&address.to_string(), &applied, embedded::migrations::runner().get_migrations())
}

/// Brings the tables up to this program's where they are others. Who does not own them needs nothing of that as long as they are
/// not.
pub(super) fn bring_up(connection: Connection, address: &Address) -> Result<(), StoreError> {
    match compare(&connection, address) {
        Ok(()) => Ok(()),
        Err(TablesError::Store(error)) => Err(error),
        Err(other) if number(&connection, OWNED)? == 0 => Err(StoreError::Unavailable(format!(
            "{other} (as their owner, which the user of [store] is not)"
        ))),
        Err(_) => migrate(connection, address),
    }
}

/// Whether the tables are ours to change.
const OWNED: &str = "SELECT count(*) FROM pg_catalog.pg_class
                     WHERE oid = to_regclass('ledger_entries') AND pg_has_role(relowner, 'MEMBER')";

/// Brings the tables up to this program's, one server at a time.
pub(super) fn migrate(mut connection: Connection, address: &Address) -> Result<(), StoreError> {
    let failed = |error: refinery::Error| StoreError::Corrupt(format!("{address}: its tables: {error}"));
    connection.take_time()?;
    // Held until the connection ends. Another server may have much to bring up.
    connection.batch("SET lock_timeout = '60s'; SELECT pg_advisory_lock(1668509551, 0)")?;
    let runner = embedded::migrations::runner();
    connection.lend(async |client| runner.run_async(client).await)?.map_err(failed)?;
    Ok(())
}

fn number(connection: &Connection, sql: &str) -> Result<i64, StoreError> {
    let mut found = 0;
    connection.query(sql, &[], &mut |row| {
        found = row.get(0)?;
        Ok(false)
    })?;
    Ok(found)
}
