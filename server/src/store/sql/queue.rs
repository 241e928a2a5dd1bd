//! Jobs: queued, claimed, resolved, leased, gone.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::Countersigned;
use countersign_protocol::ids::{AccountName, MessageId};
use countersign_protocol::limits;
use countersign_server_core::queue::{
    Claim, Job, QueueRead, QueueStore, QueuedJob, Resolution, StandingJob, Yield,
};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, count, json, number, parsed, time, to_json};
use super::{Reading, Row, Sql, Writing};

const JOB: &str =
    "id, correlation, account, account_key, instance, operation, resource, accepted_at, expires_at";

/// Most leases or results that one transaction ends.
const AT_ONCE: u64 = 500;

fn id(row: &Row<'_>, column: &str) -> Result<MessageId, StoreError> {
    Ok(MessageId::from_bytes(bytes(&row.get::<Vec<u8>>(column)?, "a job's id")?))
}

fn job(row: &Row<'_>) -> Result<Job, StoreError> {
    Ok(Job {
        id: id(row, "id")?,
        correlation: parsed(&row.get::<String>("correlation")?, "a job's name")?,
        account: parsed(&row.get::<String>("account")?, "a job's account")?,
        key: parsed(&row.get::<String>("account_key")?, "a job's key")?,
        instance: parsed(&row.get::<String>("instance")?, "a job's host")?,
        operation: parsed(&row.get::<String>("operation")?, "a job's operation")?,
        resource: parsed(&row.get::<String>("resource")?, "a job's resource")?,
        accepted: Timestamp::from_seconds(row.get("accepted_at")?),
        expires: Timestamp::from_seconds(row.get("expires_at")?),
    })
}

const STANDING: &str = "standing, reason, version, fetched_by, leased_until, is_recorded";

fn standing(row: &Row<'_>) -> Result<StandingJob, StoreError> {
    let fetch: Option<Vec<u8>> = row.get("fetched_by")?;
    let until: Option<i64> = row.get("leased_until")?;
    let fetch = fetch.map(|fetch| bytes(&fetch, "a job's fetch")).transpose()?.map(MessageId::from_bytes);
    Ok(StandingJob {
        job: job(row)?,
        standing: parsed(&row.get::<String>("standing")?, "how a job stands")?,
        reason: row.get("reason")?,
        version: row
            .get::<Option<i64>>("version")?
            .map(|version| count(version, "a job's version"))
            .transpose()?,
        fetch: fetch.zip(until.map(Timestamp::from_seconds)),
        recorded: row.get::<i64>("is_recorded")? != 0,
    })
}

fn queued(row: &Row<'_>) -> Result<QueuedJob, StoreError> {
    let request = Countersigned {
        message: row.get("message")?,
        signature: row.get("signature")?,
        certificate: row.get("certificate")?,
    };
    let receipt = json(&row.get::<String>("receipt")?, "a job's receipt")?;
    Ok(QueuedJob { job: job(row)?, request, receipt })
}

impl<D: Reading> QueueRead for Sql<D> {
    fn has_queued_jobs(&self, now: Timestamp) -> Result<bool, StoreError> {
        let found = self.read(
            "SELECT 1 FROM jobs WHERE standing = 'queued' AND expires_at > $1
               AND (claimed_until IS NULL OR claimed_until <= $1) LIMIT 1",
            [time(now)],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    fn job(&self, id: &MessageId) -> Result<Option<StandingJob>, StoreError> {
        let sql = format!("SELECT {JOB}, {STANDING} FROM jobs WHERE id = $1");
        self.read(&sql, [id.as_bytes()], standing)
    }

    fn jobs_of(&self, account: &AccountName, most: u64) -> Result<Vec<StandingJob>, StoreError> {
        let sql =
            format!("SELECT {JOB}, {STANDING} FROM jobs WHERE account = $1 ORDER BY place DESC LIMIT $2");
        self.read_all(&sql, (account.as_str(), number(most)?), standing)
    }

    fn unrecorded_jobs(&self, most: u64) -> Result<Vec<StandingJob>, StoreError> {
        let sql = format!(
            "SELECT {JOB}, {STANDING} FROM jobs WHERE is_recorded = 0 AND standing <> 'queued'
             ORDER BY place LIMIT $1"
        );
        self.read_all(&sql, [number(most)?], standing)
    }

    fn has_ended_results(&self, now: Timestamp) -> Result<bool, StoreError> {
        let over = self.read(
            "SELECT 1 FROM jobs WHERE leased_until IS NOT NULL AND leased_until <= $1 LIMIT 1",
            [time(now)],
            |_| Ok(()),
        )?;
        if over.is_some() {
            return Ok(true);
        }
        let over = self.read(
            "SELECT 1 FROM jobs WHERE expires_at <= $1
               AND (standing = 'queued' OR (standing IN ('done', 'failed') AND fetched_by IS NULL)) LIMIT 1",
            [time(now)],
            |_| Ok(()),
        )?;
        Ok(over.is_some())
    }
}

impl<D: Writing> QueueStore for Sql<D> {
    fn waiting_jobs(&self, account: &AccountName) -> Result<(u64, u64), StoreError> {
        let own = self.read(
            "SELECT count(*) FROM (SELECT 1 FROM jobs
               WHERE account = $1 AND standing IN ('queued', 'done', 'failed') LIMIT $2) AS waiting",
            (account.as_str(), number(limits::JOBS_OF_ONE)?),
            |row| row.get::<i64>(0),
        )?;
        let all = self.read(
            "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE standing = 'queued' LIMIT $1) AS waiting",
            [number(limits::JOBS_QUEUED)?],
            |row| row.get::<i64>(0),
        )?;
        Ok((
            count(own.unwrap_or_default(), "a number of jobs")?,
            count(all.unwrap_or_default(), "a number of jobs")?,
        ))
    }

    fn queue_job(&self, queued: &QueuedJob) -> Result<(), StoreError> {
        let QueuedJob { job, request, receipt } = queued;
        self.write_unseen(
            "INSERT INTO jobs (id, correlation, account, account_key, instance, operation, resource, accepted_at,
                               expires_at, place, message, signature, certificate, receipt, standing, reason, is_sealed,
                               is_recorded)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'queued', '', 0, 0)",
            (
                job.id.as_bytes(),
                job.correlation.as_str(),
                job.account.as_str(),
                job.key.to_string(),
                job.instance.to_string(),
                job.operation.as_str(),
                job.resource.as_str(),
                time(job.accepted),
                time(job.expires),
                number(receipt.index)?,
                &request.message,
                &request.signature,
                &request.certificate,
                to_json(receipt)?,
            ),
        )
    }

    fn claim_jobs(&self, claim: &Claim, most: u64) -> Result<Vec<QueuedJob>, StoreError> {
        // Of requests about the same document, the later one waits until something came of the earlier one: it is about what that
        // made. Reads change nothing, and do not wait for one another.
        let sql = format!(
            "UPDATE jobs SET worker = $1, claimed_until = $3
             WHERE id IN (SELECT id FROM jobs AS free
                          WHERE standing = 'queued' AND expires_at > $2 AND (claimed_until IS NULL OR claimed_until <= $2)
                            AND NOT EXISTS (SELECT 1 FROM jobs AS earlier
                                            WHERE earlier.standing = 'queued' AND earlier.resource = free.resource
                                              AND earlier.place < free.place AND earlier.expires_at > $2
                                              AND NOT (earlier.operation = 'read' AND free.operation = 'read'))
                          ORDER BY place LIMIT $4)
             RETURNING {JOB}, place, message, signature, certificate, receipt"
        );
        let mut claimed = self.write_returning_all(
            &sql,
            (claim.worker.as_bytes(), time(claim.now), time(claim.until), number(most)?),
            |row| Ok((row.get::<i64>("place")?, queued(row)?)),
        )?;
        claimed.sort_by_key(|(place, _)| *place);
        Ok(claimed.into_iter().map(|(_, job)| job).collect())
    }

    fn is_claimed(&self, id: &MessageId, worker: &MessageId, now: Timestamp) -> Result<bool, StoreError> {
        let found = self.read(
            "SELECT 1 FROM jobs WHERE id = $1 AND standing = 'queued' AND worker = $2 AND expires_at > $3",
            (id.as_bytes(), worker.as_bytes(), time(now)),
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    fn give_back(&self, id: &MessageId, worker: &MessageId) -> Result<(), StoreError> {
        self.write(
            "UPDATE jobs SET worker = NULL, claimed_until = NULL
             WHERE id = $1 AND standing = 'queued' AND worker = $2",
            (id.as_bytes(), worker.as_bytes()),
        )?;
        Ok(())
    }

    fn resolve_job(
        &self,
        id: &MessageId,
        worker: &MessageId,
        resolution: &Resolution,
    ) -> Result<bool, StoreError> {
        let (result, is_sealed) = match &resolution.yields {
            Yield::Nothing => (None, false),
            Yield::Plain(plain) => (Some(plain), false),
            Yield::Sealed(sealed) => (Some(sealed), true),
        };
        self.0.wipe_what_is_deleted()?;
        let resolved = self.write(
            "UPDATE jobs SET standing = $3, reason = $4, version = $5, result = $6, is_sealed = $7,
                             message = NULL, signature = NULL, certificate = NULL, receipt = NULL, worker = NULL, claimed_until = NULL
             WHERE id = $1 AND standing = 'queued' AND worker = $2",
            (
                id.as_bytes(),
                worker.as_bytes(),
                if resolution.done { "done" } else { "failed" },
                &resolution.reason,
                resolution.version.map(number).transpose()?,
                result,
                is_sealed,
            ),
        )?;
        Ok(resolved == 1)
    }

    fn cancel_job(&self, id: &MessageId, account: &AccountName) -> Result<bool, StoreError> {
        self.0.wipe_what_is_deleted()?;
        let cancelled = self.write(
            "UPDATE jobs SET standing = 'cancelled', reason = 'It was called off.',
                             message = NULL, signature = NULL, certificate = NULL, receipt = NULL, worker = NULL, claimed_until = NULL
             WHERE id = $1 AND account = $2 AND standing = 'queued'",
            (id.as_bytes(), account.as_str()),
        )?;
        Ok(cancelled == 1)
    }

    fn lease_result(
        &self,
        id: &MessageId,
        fetch: &MessageId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Yield>, StoreError> {
        self.write_returning(
            "UPDATE jobs SET fetched_by = $2, leased_until = $4
             WHERE id = $1 AND fetched_by IS NULL AND standing IN ('done', 'failed') AND expires_at > $3
             RETURNING result, is_sealed",
            (id.as_bytes(), fetch.as_bytes(), time(now), time(until)),
            |row| {
                let result: Option<Vec<u8>> = row.get("result")?;
                Ok(match (result, row.get::<i64>("is_sealed")?) {
                    (None, _) => Yield::Nothing,
                    (Some(plain), 0) => Yield::Plain(plain),
                    (Some(sealed), _) => Yield::Sealed(sealed),
                })
            },
        )
    }

    fn acknowledge_result(&self, id: &MessageId, fetch: &MessageId) -> Result<bool, StoreError> {
        self.0.wipe_what_is_deleted()?;
        let gone = self.write(
            "UPDATE jobs SET standing = 'served', result = NULL, leased_until = NULL
             WHERE id = $1 AND fetched_by = $2 AND standing IN ('done', 'failed')",
            (id.as_bytes(), fetch.as_bytes()),
        )?;
        if gone == 1 {
            self.forget_reply(fetch.as_bytes())?;
        }
        Ok(gone == 1)
    }

    fn withhold_result(&self, id: &MessageId) -> Result<(), StoreError> {
        self.0.wipe_what_is_deleted()?;
        self.write(
            "UPDATE jobs SET standing = 'withheld', result = NULL
             WHERE id = $1 AND fetched_by IS NULL AND standing IN ('done', 'failed')",
            [id.as_bytes()],
        )?;
        Ok(())
    }

    fn end_results(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.0.wipe_what_is_deleted()?;
        let fetches = self.write_returning_all(
            "UPDATE jobs SET standing = 'served', result = NULL, leased_until = NULL
             WHERE id IN (SELECT id FROM jobs WHERE leased_until IS NOT NULL AND leased_until <= $1 LIMIT $2)
             RETURNING fetched_by",
            (time(now), number(AT_ONCE)?),
            |row| row.get::<Vec<u8>>(0),
        )?;
        for fetch in &fetches {
            self.forget_reply(fetch)?;
        }
        let undone = self.write(
            "UPDATE jobs SET standing = 'expired', reason = 'Nobody did it in time, and nothing was changed.',
                             message = NULL, signature = NULL, certificate = NULL, receipt = NULL, worker = NULL, claimed_until = NULL
             WHERE id IN (SELECT id FROM jobs WHERE standing = 'queued' AND expires_at <= $1 LIMIT $2)",
            (time(now), number(AT_ONCE)?),
        )?;
        let unfetched = self.write(
            "UPDATE jobs SET standing = 'expired', result = NULL
             WHERE id IN (SELECT id FROM jobs WHERE standing IN ('done', 'failed') AND fetched_by IS NULL
                                                AND is_recorded <> 0 AND expires_at <= $1 LIMIT $2)",
            (time(now), number(AT_ONCE)?),
        )?;
        let most = [u64::try_from(fetches.len()).unwrap_or(u64::MAX), undone, unfetched];
        Ok(most.into_iter().any(|ended| ended >= AT_ONCE))
    }

    fn job_is_recorded(&self, id: &MessageId) -> Result<(), StoreError> {
        self.write_unseen("UPDATE jobs SET is_recorded = 1 WHERE id = $1", [id.as_bytes()])
    }
}

impl<D: Writing> Sql<D> {
    /// The same message gets no answer any more.
    fn forget_reply(&self, id: &[u8]) -> Result<(), StoreError> {
        self.write("UPDATE replies SET sealed = $2 WHERE id = $1", (id, [0; 0]))?;
        Ok(())
    }
}
