//! Applications and their versions.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, ApplicationName, Digest, Fingerprint, VersionName};
use countersign_protocol::life::Life;
use countersign_protocol::limits;
use countersign_server_core::applications::{Application, ApplicationRead, ApplicationStore, Version};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, count, number, parsed, time};
use super::{Reading, Row, Sql, Writing};

const COLUMNS: &str = "name, fingerprint, certificate, state, developer, created_at";

/// With `$1`, the application.
const VERSION: &str = "version, digest, notes, published_at, retired_at,
    (SELECT count(*) FROM instances
     WHERE instances.application = $1 AND instances.version = application_versions.version
       AND instances.state <> 'revoked') AS hosts";

fn application(row: &Row<'_>) -> Result<Application, StoreError> {
    Ok(Application {
        name: parsed(&row.get::<String>("name")?, "an application's name")?,
        fingerprint: parsed(&row.get::<String>("fingerprint")?, "an application's key")?,
        certificate: row.get("certificate")?,
        state: parsed(&row.get::<String>("state")?, "an application's state")?,
        owner: row
            .get::<Option<String>>("developer")?
            .map(|owner| parsed(&owner, "an application's owner"))
            .transpose()?,
        created: Timestamp::from_seconds(row.get("created_at")?),
    })
}

fn version(row: &Row<'_>) -> Result<Version, StoreError> {
    Ok(Version {
        name: parsed(&row.get::<String>("version")?, "a version's name")?,
        digest: Digest::from_bytes(bytes(&row.get::<Vec<u8>>("digest")?, "a version's digest")?),
        notes: row.get("notes")?,
        published: Timestamp::from_seconds(row.get("published_at")?),
        retired: row.get::<Option<i64>>("retired_at")?.map(Timestamp::from_seconds),
        hosts: count(row.get("hosts")?, "the hosts of a version")?,
    })
}

impl<D: Reading> ApplicationRead for Sql<D> {
    fn application(&self, key: &Fingerprint) -> Result<Option<Application>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM applications WHERE fingerprint = $1");
        self.read(&sql, [key.to_string()], application)
    }

    fn application_named(&self, name: &ApplicationName) -> Result<Option<Application>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM applications WHERE name = $1");
        self.read(&sql, [name.as_str()], application)
    }
}

impl<D: Writing> ApplicationStore for Sql<D> {
    fn add_application(&self, application: &Application) -> Result<bool, StoreError> {
        let added = self.write(
            "INSERT INTO applications (name, fingerprint, certificate, state, developer, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            (
                application.name.as_str(),
                application.fingerprint.to_string(),
                &application.certificate,
                application.state.as_str(),
                application.owner.as_ref().map(AccountName::as_str),
                time(application.created),
            ),
        )?;
        Ok(added == 1)
    }

    fn move_application(
        &self,
        name: &ApplicationName,
        from: Life,
        to: Life,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let ended = (to == Life::Retired).then(|| time(at));
        let moved = self.write(
            "UPDATE applications SET state = $3, ended_at = $4 WHERE name = $1 AND state = $2",
            (name.as_str(), from.as_str(), to.as_str(), ended),
        )?;
        Ok(moved == 1)
    }

    fn applications_after(
        &self,
        after: &str,
        owner: Option<&AccountName>,
        most: u64,
    ) -> Result<Vec<Application>, StoreError> {
        match owner {
            Some(owner) => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM applications WHERE name > $1 AND developer = $3 ORDER BY name LIMIT $2"
                );
                self.read_all(&sql, (after, number(most)?, owner.as_str()), application)
            }
            None => {
                let sql =
                    format!("SELECT {COLUMNS} FROM applications WHERE name > $1 ORDER BY name LIMIT $2");
                self.read_all(&sql, (after, number(most)?), application)
            }
        }
    }

    fn publish_version(&self, application: &ApplicationName, version: &Version) -> Result<bool, StoreError> {
        let published = self.write(
            "INSERT INTO application_versions (application, version, digest, notes, published_at)
             SELECT name, $2, $3, $4, $5 FROM applications
             WHERE name = $1 AND state = 'active'
               AND (SELECT count(*) FROM application_versions WHERE application = $1) < $6
             ON CONFLICT DO NOTHING",
            (
                application.as_str(),
                version.name.as_str(),
                version.digest.as_bytes(),
                &version.notes,
                time(version.published),
                number(limits::VERSIONS)?,
            ),
        )?;
        Ok(published == 1)
    }

    fn retire_version(
        &self,
        application: &ApplicationName,
        version: &VersionName,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let retired = self.write(
            "UPDATE application_versions SET retired_at = $3
             WHERE application = $1 AND version = $2 AND retired_at IS NULL",
            (application.as_str(), version.as_str(), time(at)),
        )?;
        Ok(retired == 1)
    }

    fn version(
        &self,
        application: &ApplicationName,
        name: &VersionName,
    ) -> Result<Option<Version>, StoreError> {
        let sql =
            format!("SELECT {VERSION} FROM application_versions WHERE application = $1 AND version = $2");
        self.read(&sql, (application.as_str(), name.as_str()), version)
    }

    fn versions(&self, application: &ApplicationName) -> Result<Vec<Version>, StoreError> {
        let sql = format!(
            "SELECT {VERSION} FROM application_versions WHERE application = $1
             ORDER BY published_at DESC, version DESC"
        );
        self.read_all(&sql, [application.as_str()], version)
    }
}
