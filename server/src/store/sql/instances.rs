//! Instances.

use std::sync::LazyLock;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{ApplicationName, Fingerprint, VersionName};
use countersign_protocol::message::InstanceState;
use countersign_server_core::instances::{BothKeys, Counted, Instance, InstanceRead, InstanceStore};
use countersign_server_core::store::StoreError;

use super::rows::{corrupt, count, json, number, parsed, time, to_json};
use super::{Reading, Row, Sql, Writing};

const COLUMNS: &str = "fingerprint, application, certificate, signing_key, second_key, second_certificate, key_words, \
                       claimed_hostname, key_place, state, counter, counted_made, counted_at, forked_at, state_at, enrolled_at, seen_at, successor, version";

/// One by its fingerprint.
pub(super) fn one() -> &'static str {
    static SQL: LazyLock<String> =
        LazyLock::new(|| format!("SELECT {COLUMNS} FROM instances WHERE fingerprint = $1"));
    &SQL
}

struct Columns {
    fingerprint: String,
    application: String,
    certificate: Vec<u8>,
    signing_key: Option<String>,
    second_key: Option<String>,
    second_certificate: Option<Vec<u8>>,
    key_words: String,
    claimed_hostname: String,
    key_place: String,
    state: String,
    counter: i64,
    counted_made: Option<i64>,
    counted_at: Option<i64>,
    forked_at: Option<i64>,
    state_at: i64,
    enrolled_at: i64,
    seen_at: Option<i64>,
    successor: Option<String>,
    version: Option<String>,
}

impl Columns {
    /// By place in [`COLUMNS`]: SQLite would look for each name among all of them, and nearly every message reads this row.
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            fingerprint: row.get(0)?,
            application: row.get(1)?,
            certificate: row.get(2)?,
            signing_key: row.get(3)?,
            second_key: row.get(4)?,
            second_certificate: row.get(5)?,
            key_words: row.get(6)?,
            claimed_hostname: row.get(7)?,
            key_place: row.get(8)?,
            state: row.get(9)?,
            counter: row.get(10)?,
            counted_made: row.get(11)?,
            counted_at: row.get(12)?,
            forked_at: row.get(13)?,
            state_at: row.get(14)?,
            enrolled_at: row.get(15)?,
            seen_at: row.get(16)?,
            successor: row.get(17)?,
            version: row.get(18)?,
        })
    }

    fn instance(self) -> Result<Instance, StoreError> {
        let state = match self.state.as_str() {
            "pending" => InstanceState::Pending,
            "active" => InstanceState::Active,
            "suspended" => InstanceState::Suspended,
            "revoked" => InstanceState::Revoked,
            _ => return Err(corrupt("an instance's state")),
        };
        Ok(Instance {
            fingerprint: parsed(&self.fingerprint, "an instance's fingerprint")?,
            application: parsed(&self.application, "an instance's application")?,
            certificate: self.certificate,
            signing_key: self.signing_key.map(|key| parsed(&key, "an instance's signing key")).transpose()?,
            second_key: self.second_key.map(|key| parsed(&key, "an instance's second key")).transpose()?,
            second_certificate: self.second_certificate,
            key_words: self.key_words,
            claimed_hostname: self.claimed_hostname,
            key_place: json(&self.key_place, "where an instance's key lives")?,
            state,
            counter: count(self.counter, "an instance's counter")?,
            counted: self.counted_made.zip(self.counted_at).map(|(made, at)| Counted {
                made: Timestamp::from_seconds(made),
                at: Timestamp::from_seconds(at),
            }),
            forked: self.forked_at.map(Timestamp::from_seconds),
            since: Timestamp::from_seconds(self.state_at),
            enrolled: Timestamp::from_seconds(self.enrolled_at),
            seen: self.seen_at.map(Timestamp::from_seconds),
            successor: self.successor.map(|key| parsed(&key, "an instance's successor")).transpose()?,
            version: self.version.map(|version| parsed(&version, "an instance's version")).transpose()?,
        })
    }
}

impl<D: Reading> InstanceRead for Sql<D> {
    fn predecessor(&self, fingerprint: &Fingerprint) -> Result<Option<Instance>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM instances WHERE successor = $1");
        self.read(&sql, [fingerprint.to_string()], Columns::read)?.map(Columns::instance).transpose()
    }

    fn instance(&self, fingerprint: &Fingerprint) -> Result<Option<Instance>, StoreError> {
        self.read(one(), [fingerprint.to_string()], Columns::read)?.map(Columns::instance).transpose()
    }
}

impl<D: Writing> InstanceStore for Sql<D> {
    fn pending_instances(&self, key_words: &str) -> Result<Vec<Instance>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM instances WHERE key_words = $1 AND state = 'pending'");
        let rows = self.read_all(&sql, [key_words], Columns::read)?;
        rows.into_iter().map(Columns::instance).collect()
    }

    fn add_instance(&self, instance: &Instance, at: Timestamp) -> Result<bool, StoreError> {
        let added = self.write(
            "INSERT INTO instances (fingerprint, application, certificate, signing_key, key_words, claimed_hostname,
                                    key_place, state, counter, state_at, enrolled_at, counted_made, counted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12) ON CONFLICT DO NOTHING",
            (
                instance.fingerprint.to_string(),
                instance.application.as_str(),
                &instance.certificate,
                instance.signing_key.as_ref().map(ToString::to_string),
                &instance.key_words,
                &instance.claimed_hostname,
                to_json(&instance.key_place)?,
                instance.state.as_str(),
                number(instance.counter)?,
                time(at),
                instance.counted.map(|counted| time(counted.made)),
                instance.counted.map(|counted| time(counted.at)),
            ),
        )?;
        Ok(added == 1)
    }

    fn move_instance(
        &self,
        fingerprint: &Fingerprint,
        from: InstanceState,
        to: InstanceState,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        if from == InstanceState::Suspended {
            self.write(
                "INSERT INTO bars (owner_kind, owner, from_at, until_at)
                 SELECT 'instance', fingerprint, state_at, $2 FROM instances
                 WHERE fingerprint = $1 AND state = 'suspended'",
                (fingerprint.to_string(), time(at)),
            )?;
        }
        let moved = self.write(
            "UPDATE instances SET state = $3, state_at = $4 WHERE fingerprint = $1 AND state = $2",
            (fingerprint.to_string(), from.as_str(), to.as_str(), time(at)),
        )?;
        Ok(moved == 1)
    }

    fn announce_keys(
        &self,
        fingerprint: &Fingerprint,
        certificate: &[u8],
        signing_key: &Fingerprint,
        counter: u64,
        Counted { made, at }: Counted,
    ) -> Result<bool, StoreError> {
        let announced = self.write(
            "UPDATE instances SET certificate = $2, signing_key = $3, counter = $4, counted_made = $5, counted_at = $6,
                                  seen_at = $6
             WHERE fingerprint = $1 AND state <> 'revoked' AND forked_at IS NULL AND counter < $4",
            (
                fingerprint.to_string(),
                certificate,
                signing_key.to_string(),
                number(counter)?,
                time(made),
                time(at),
            ),
        )?;
        Ok(announced == 1)
    }

    fn hold_both_keys(
        &self,
        fingerprint: &Fingerprint,
        both: &BothKeys<'_>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let held = self.write(
            "UPDATE instances SET forked_at = coalesce(forked_at, $6), certificate = $2, signing_key = $3,
                                  second_key = $4, second_certificate = $5, seen_at = $6
             WHERE fingerprint = $1 AND state <> 'revoked'",
            (
                fingerprint.to_string(),
                both.certificate,
                both.first.map(ToString::to_string),
                both.second.to_string(),
                both.second_certificate,
                time(at),
            ),
        )?;
        Ok(held == 1)
    }

    fn retire_instance(
        &self,
        fingerprint: &Fingerprint,
        successor: &Fingerprint,
        counter: u64,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let retired = self.write(
            "UPDATE instances SET state = 'revoked', state_at = $4, successor = $2
             WHERE fingerprint = $1 AND state = 'active' AND forked_at IS NULL AND counter < $3",
            (fingerprint.to_string(), successor.to_string(), number(counter)?, time(at)),
        )?;
        Ok(retired == 1)
    }

    fn count_check_in(
        &self,
        fingerprint: &Fingerprint,
        counter: u64,
        Counted { made, at }: Counted,
    ) -> Result<bool, StoreError> {
        let counted = self.write(
            "UPDATE instances SET counter = $2, counted_made = $3, counted_at = $4, seen_at = $4
             WHERE fingerprint = $1 AND counter < $2",
            (fingerprint.to_string(), number(counter)?, time(made), time(at)),
        )?;
        Ok(counted == 1)
    }

    fn note_version(
        &self,
        fingerprint: &Fingerprint,
        version: Option<&VersionName>,
    ) -> Result<(), StoreError> {
        self.write(
            "UPDATE instances SET version = $2 WHERE fingerprint = $1",
            (fingerprint.to_string(), version.map(VersionName::as_str)),
        )?;
        Ok(())
    }

    fn mark_forked(&self, fingerprint: &Fingerprint, at: Timestamp) -> Result<bool, StoreError> {
        let marked = self.write(
            "UPDATE instances SET forked_at = $2 WHERE fingerprint = $1 AND forked_at IS NULL",
            (fingerprint.to_string(), time(at)),
        )?;
        Ok(marked == 1)
    }

    fn lift_fork(&self, fingerprint: &Fingerprint) -> Result<bool, StoreError> {
        let lifted = self.write(
            "UPDATE instances SET forked_at = NULL, counter = 0, signing_key = NULL, second_key = NULL,
                                  second_certificate = NULL
             WHERE fingerprint = $1 AND forked_at IS NOT NULL",
            [fingerprint.to_string()],
        )?;
        Ok(lifted == 1)
    }

    fn instances_after(&self, after: &str, most: u64) -> Result<Vec<Instance>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} FROM instances WHERE fingerprint > $1 ORDER BY fingerprint LIMIT $2");
        let rows = self.read_all(&sql, (after, number(most)?), Columns::read)?;
        rows.into_iter().map(Columns::instance).collect()
    }

    fn expire_pending(
        &self,
        application: &ApplicationName,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.write(
            "UPDATE instances SET state = 'revoked', state_at = $3
             WHERE application = $1 AND state = 'pending' AND enrolled_at < $2",
            (application.as_str(), time(since), time(now)),
        )?;
        let waiting = self.read(
            "SELECT count(*) FROM instances WHERE application = $1 AND state = 'pending'",
            [application.as_str()],
            |row| row.get::<i64>(0),
        )?;
        count(waiting.unwrap_or_default(), "instances that wait")
    }
}
