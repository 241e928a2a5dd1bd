//! Applications.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{ApplicationName, Fingerprint};
use countersign_server_core::applications::{
    Application, ApplicationRead, ApplicationState, ApplicationStore,
};
use countersign_server_core::store::StoreError;

use super::rows::{corrupt, parsed, time};
use super::{Reading, Sql, Writing};

impl<D: Reading> ApplicationRead for Sql<D> {
    fn application(&self, key: &Fingerprint) -> Result<Option<Application>, StoreError> {
        let row = self.read(
            "SELECT name, certificate, state FROM applications WHERE fingerprint = $1",
            [key.to_string()],
            |row| Ok((row.get::<String>(0)?, row.get(1)?, row.get::<String>(2)?)),
        )?;
        let Some((name, certificate, state)) = row else { return Ok(None) };
        let state = match state.as_str() {
            "active" => ApplicationState::Active,
            "withdrawn" => ApplicationState::Withdrawn,
            _ => return Err(corrupt("an application's state")),
        };
        let name = parsed(&name, "an application's name")?;
        Ok(Some(Application { name, fingerprint: key.clone(), certificate, state }))
    }
}

impl<D: Writing> ApplicationStore for Sql<D> {
    fn add_application(&self, application: &Application, at: Timestamp) -> Result<bool, StoreError> {
        let added = self.write(
            "INSERT INTO applications (name, fingerprint, certificate, state, created_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
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
            "UPDATE applications SET state = 'withdrawn', ended_at = $2 WHERE name = $1 AND state = 'active'",
            (name.as_str(), time(at)),
        )?;
        Ok(withdrawn == 1)
    }
}
