//! Jobs that were accepted: on their way from the auth server, which decided, to the API, which alone has the documents, and
//! back to whoever asked (seed 2.1.3, 2.1.6, 2.1.7).
//!
//! ```text
//! request ─▶ accept: decided, in the ledger, queued ─▶ the API: verified anew, done, result kept
//!   ─▶ record: what came of it, in the ledger ─▶ fetch: leased to one ─▶ acknowledged, or the lease is over: gone
//! ```
//!
//! Each arrow is one transaction, and each changes one row on a condition: whatever is killed in between, a job is done once, and
//! its result served once.

mod accept;
mod fetch;
mod record;

pub(crate) use accept::{accept, is_documents, list};
pub(crate) use fetch::{acknowledge, fetch, is_leased};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::Countersigned;
use countersign_protocol::ids::{
    AccountName, CorrelationId, Fingerprint, MessageId, Operation, ResourceName,
};
use countersign_protocol::ledger::Entry;
use countersign_protocol::message::{JobAccepted, JobStanding, Receipt};
use countersign_protocol::statement::Statement;
use serde::de::DeserializeOwned;

use crate::stop::{Failure, Stop};
use crate::store::{StoreError, Transaction};

/// What is known of a job, whoever looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The id of its request.
    pub id: MessageId,
    /// What people quote.
    pub correlation: CorrelationId,
    /// Who asked.
    pub account: AccountName,
    /// With which key, by its primary fingerprint.
    pub key: Fingerprint,
    /// At which host.
    pub instance: Fingerprint,
    /// What is to be done.
    pub operation: Operation,
    /// To what.
    pub resource: ResourceName,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// Until when its result is kept.
    pub expires: Timestamp,
}

impl Job {
    /// What became of a request that was accepted, as `entry` says.
    pub(crate) fn of(statement: &Statement, entry: &Entry, accepted: &JobAccepted) -> Result<Self, Stop> {
        let missing = || Failure::Reply("an entry about a job names neither host nor key".into());
        Ok(Self {
            id: accepted.job,
            correlation: entry.correlation.clone(),
            account: statement.account.clone(),
            key: entry.key.clone().ok_or_else(missing)?,
            instance: entry.instance.clone().ok_or_else(missing)?,
            operation: statement.operation.clone(),
            resource: statement.resource.clone(),
            accepted: entry.time,
            expires: accepted.expires,
        })
    }
}

/// A job with everything that proves it, for the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedJob {
    /// What it is.
    pub job: Job,
    /// The request as its host signed it, with the statement that the person's card signed, and the body.
    pub request: Countersigned,
    /// The auth server's word: in the ledger, under its key.
    pub receipt: Receipt,
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// Whether it was done.
    pub done: bool,
    /// What was done, or why it was not, for whoever asked.
    pub reason: String,
    /// For the ledger: the version that it made.
    pub version: Option<u64>,
    /// What it yields.
    pub yields: Yield,
}

/// What a job yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Yield {
    /// Nothing but the reason.
    Nothing,
    /// JSON that any reader of the database may see: versions, no contents.
    Plain(Vec<u8>),
    /// JSON in an OpenPGP message to the person's card.
    Sealed(Vec<u8>),
}

/// A job as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingJob {
    /// What it is.
    pub job: Job,
    /// How it stands.
    pub standing: JobStanding,
    /// In words.
    pub reason: String,
    /// The version that it made.
    pub version: Option<u64>,
    /// The fetch that has its result, and until when.
    pub fetch: Option<(MessageId, Timestamp)>,
    /// Whether the ledger says what came of it.
    pub recorded: bool,
}

/// For a while nobody else does these jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Whoever does them.
    pub worker: MessageId,
    /// From when.
    pub now: Timestamp,
    /// Until when: by then they are done, or somebody else does them.
    pub until: Timestamp,
}

/// Looking at jobs.
pub trait QueueRead {
    /// Whether there are any that nobody does.
    ///
    /// # Errors
    /// [`StoreError`].
    fn has_queued_jobs(&self, now: Timestamp) -> Result<bool, StoreError>;

    /// One, as it stands.
    ///
    /// # Errors
    /// [`StoreError`].
    fn job(&self, id: &MessageId) -> Result<Option<StandingJob>, StoreError>;

    /// Those of an account that are not forgotten, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn jobs_of(&self, account: &AccountName, most: u64) -> Result<Vec<StandingJob>, StoreError>;

    /// Jobs of which something came that the ledger does not say yet, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn unrecorded_jobs(&self, most: u64) -> Result<Vec<StandingJob>, StoreError>;

    /// Whether there are leases or results whose time is over.
    ///
    /// # Errors
    /// [`StoreError`].
    fn has_ended_results(&self, now: Timestamp) -> Result<bool, StoreError>;
}

/// Jobs on their way.
pub trait QueueStore: QueueRead {
    /// How many of an account wait to be done or fetched, and how many of all wait to be done; counted as far as
    /// [`JOBS_OF_ONE`](countersign_protocol::limits::JOBS_OF_ONE) and
    /// [`JOBS_QUEUED`](countersign_protocol::limits::JOBS_QUEUED).
    ///
    /// # Errors
    /// [`StoreError`].
    fn waiting_jobs(&self, account: &AccountName) -> Result<(u64, u64), StoreError>;

    /// Queues a job. There is none of this id: its request came once.
    ///
    /// # Errors
    /// [`StoreError`].
    fn queue_job(&self, job: &QueuedJob) -> Result<(), StoreError>;

    /// Takes some that nobody does, in the order of their acceptance.
    ///
    /// # Errors
    /// [`StoreError`].
    fn claim_jobs(&self, claim: &Claim, most: u64) -> Result<Vec<QueuedJob>, StoreError>;

    /// Whether a job waits still, for this worker, and its time is not over.
    ///
    /// # Errors
    /// [`StoreError`].
    fn is_claimed(&self, id: &MessageId, worker: &MessageId, now: Timestamp) -> Result<bool, StoreError>;

    /// Anybody may do it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn give_back(&self, id: &MessageId, worker: &MessageId) -> Result<(), StoreError>;

    /// Writes down what came of a job, if it waits still, for this worker, and forgets its body. Whether it did.
    ///
    /// # Errors
    /// [`StoreError`].
    fn resolve_job(
        &self,
        id: &MessageId,
        worker: &MessageId,
        resolution: &Resolution,
    ) -> Result<bool, StoreError>;

    /// Calls a job of this account off, if it waits still. Whether it did.
    ///
    /// # Errors
    /// [`StoreError`].
    fn cancel_job(&self, id: &MessageId, account: &AccountName) -> Result<bool, StoreError>;

    /// Gives the result of a job to this fetch until `until`, if it is there and nobody else's: none otherwise.
    ///
    /// # Errors
    /// [`StoreError`].
    fn lease_result(
        &self,
        id: &MessageId,
        fetch: &MessageId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Yield>, StoreError>;

    /// The result of a job that was leased to this fetch is gone, and so is the reply that holds it. Whether it was there.
    ///
    /// # Errors
    /// [`StoreError`].
    fn acknowledge_result(&self, id: &MessageId, fetch: &MessageId) -> Result<bool, StoreError>;

    /// The result of a job goes to nobody any more.
    ///
    /// # Errors
    /// [`StoreError`].
    fn withhold_result(&self, id: &MessageId) -> Result<(), StoreError>;

    /// Ends leases and results whose time is over. Whether there may be more.
    ///
    /// # Errors
    /// [`StoreError`].
    fn end_results(&self, now: Timestamp) -> Result<bool, StoreError>;

    /// The ledger says what came of it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn job_is_recorded(&self, id: &MessageId) -> Result<(), StoreError>;
}

/// Somebody's own job, by its id or by what people quote; of nobody else's anything is known.
pub(crate) fn own(
    tx: &dyn Transaction,
    account: &AccountName,
    name: &str,
) -> Result<Option<StandingJob>, StoreError> {
    if let Ok(id) = name.parse::<MessageId>() {
        return Ok(tx.job(&id)?.filter(|found| found.job.account == *account));
    }
    let Ok(correlation) = name.parse::<CorrelationId>() else { return Ok(None) };
    let known = tx.jobs_of(account, JOBS_SHOWN)?;
    Ok(known.into_iter().find(|found| found.job.correlation == correlation))
}

/// Most jobs of one account that are shown: some wait, and some are over.
pub(crate) const JOBS_SHOWN: u64 = 2 * countersign_protocol::limits::JOBS_OF_ONE;

/// A job's typed body, or what to tell whoever sent another.
pub(crate) fn body<B: DeserializeOwned>(body: &[u8], what: &str) -> Result<B, String> {
    serde_json::from_slice(body).map_err(|error| format!("The body is not {what}: {error}."))
}

/// For how long a fetch has a result to itself, from `now` on.
pub(crate) fn lease(now: Timestamp) -> Timestamp {
    now.plus(countersign_protocol::limits::RESULT_LEASE)
}
