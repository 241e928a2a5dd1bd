//! Applications.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{ApplicationName, Fingerprint};
use countersign_server_core::applications::{
    Application, ApplicationRead, ApplicationState, ApplicationStore,
};
use countersign_server_core::store::StoreError;
use rusqlite::Connection;

use super::rows::{corrupt, optional, parsed, time};
use super::transaction::SqliteTransaction;
use super::view::SqliteView;

fn application(connection: &Connection, key: &Fingerprint) -> Result<Option<Application>, StoreError> {
    let row = connection
        .prepare_cached("SELECT name, certificate, state FROM applications WHERE fingerprint = ?1")
        .and_then(|mut statement| {
            statement.query_row([key.to_string()], |row| {
                Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, String>(2)?))
            })
        });
    let Some((name, certificate, state)) = optional(row)? else { return Ok(None) };
    let state = match state.as_str() {
        "active" => ApplicationState::Active,
        "withdrawn" => ApplicationState::Withdrawn,
        _ => return Err(corrupt("an application's state")),
    };
    let name = parsed(&name, "an application's name")?;
    Ok(Some(Application { name, fingerprint: key.clone(), certificate, state }))
}

impl ApplicationRead for SqliteTransaction<'_> {
    fn application(&self, key: &Fingerprint) -> Result<Option<Application>, StoreError> {
        application(self.connection(), key)
    }
}

impl ApplicationRead for SqliteView<'_> {
    fn application(&self, key: &Fingerprint) -> Result<Option<Application>, StoreError> {
        application(self.connection()?, key)
    }
}

impl ApplicationStore for SqliteTransaction<'_> {
    fn add_application(&self, application: &Application, at: Timestamp) -> Result<bool, StoreError> {
        let added = self.write(
            "INSERT INTO applications (name, fingerprint, certificate, state, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            (
                application.name.as_str(),
                application.fingerprint.to_string(),
                &application.certificate,
                application.state.as_str(),
                time(at),
            ),
        )?;
        Ok(added == 1)
    }

    fn withdraw_application(&self, name: &ApplicationName, at: Timestamp) -> Result<bool, StoreError> {
        let withdrawn = self.write(
            "UPDATE applications SET state = 'withdrawn', ended_at = ?2 WHERE name = ?1 AND state = 'active'",
            (name.as_str(), time(at)),
        )?;
        Ok(withdrawn == 1)
    }
}
