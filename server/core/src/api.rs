//! The API: the one part of the server that has the documents. It takes nobody's word.
//!
//! A job comes with its proofs – the person's signature, the host's, and the auth server's word in the ledger – and each is
//! verified here again (W18). Only then is it done, in one transaction with what came of it, so that it is done once. What holds
//! contents leaves only in a message to the person's card.
//!
//! ```text
//! QueuedJob ─▶ verify ─▶ VerifiedJob ─▶ plan, beside all writers ─▶ transaction: still theirs? write, result ─▶ done
//! ```

mod documents;
mod list;
mod plan;
mod schema;
mod verify;

pub(crate) use schema::fault_of as schema_fault;

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_protocol::clock::{Clock, Timestamp};
use countersign_protocol::ids::MessageId;
use countersign_protocol::ledger::LedgerKey;
use countersign_protocol::life::Life;
use countersign_protocol::message::InstanceState;
use countersign_protocol::random::Random;

use self::plan::Plan;
use self::schema::Schemas;
use self::verify::VerifiedJob;
use crate::pins::Pins;
use crate::queue::{Claim, QueuedJob, Resolution, Yield};
use crate::stop::Failure;
use crate::store::{Store, StoreError, Transaction, View};

/// Most jobs of one transaction.
const AT_ONCE: u64 = 16;

/// For how long they are one worker's, in seconds: whoever does not come back by then is dead.
const CLAIM: i64 = 20;

/// For how long jobs of one transaction are looked at, a fraction of the claim: the rest is given back.
const PLANNING: Duration = Duration::from_secs(5);

/// What does jobs. As many may do so on one database as there is work for.
pub struct Api {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ledger_key: LedgerKey,
    worker: MessageId,
    pins: Pins,
    schemas: Schemas,
}

/// What one look at the queue found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Worked {
    /// Jobs of which something came.
    pub resolved: u64,
    /// Whether there may be more.
    pub is_more: bool,
    /// Jobs that could not be worked on, and why, for the log.
    pub stuck: Vec<String>,
}

impl Worked {
    fn stuck(&mut self, one: &QueuedJob, failure: &Failure) {
        self.stuck.push(format!("{}: {failure}", one.job.correlation));
    }
}

impl Api {
    /// On the database where the auth server with this ledger queues jobs.
    ///
    /// # Errors
    /// [`Failure::Random`]: every worker needs a name of its own.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
        ledger_key: LedgerKey,
    ) -> Result<Self, Failure> {
        let worker = MessageId::new(random)?;
        Ok(Self { store, clock, ledger_key, worker, pins: Pins::default(), schemas: Schemas::default() })
    }

    /// Does some of the jobs that wait. One that cannot be worked on holds up no other: it is tried again when its claim is over.
    ///
    /// # Errors
    /// The store's; what was not done waits still.
    pub fn work(&self) -> Result<Worked, Failure> {
        let now = self.clock.now();
        if !self.store.view()?.has_queued_jobs(now)? {
            return Ok(Worked::default());
        }
        let claim = Claim { worker: self.worker, now, until: now.plus(CLAIM) };
        let tx = self.store.begin()?;
        let claimed = tx.claim_jobs(&claim, AT_ONCE)?;
        tx.commit()?;
        let mut worked = Worked { is_more: !claimed.is_empty(), ..Worked::default() };
        let (begun, mut planned) = (Instant::now(), Vec::new());
        let mut view = self.store.view()?;
        for one in &claimed {
            if begun.elapsed() >= PLANNING {
                planned.push((one, None));
                continue;
            }
            match self.plan(&*view, one, now) {
                Ok(plan) => planned.push((one, Some(plan))),
                Err(failure) => {
                    worked.stuck(one, &failure);
                    // What failed may have taken the view with it.
                    view = self.store.view()?;
                }
            }
        }
        drop(view);
        match self.finish_all(&planned) {
            Ok(resolved) => worked.resolved = resolved,
            // One of them alone may be the cause.
            Err(_) => {
                for one in planned {
                    match self.finish_all(std::slice::from_ref(&one)) {
                        Ok(resolved) => worked.resolved += resolved,
                        Err(failure) => worked.stuck(one.0, &failure),
                    }
                }
            }
        }
        Ok(worked)
    }

    /// In one transaction. What was not planned for want of time is given back.
    fn finish_all(&self, planned: &[(&QueuedJob, Option<Plan>)]) -> Result<u64, Failure> {
        let tx = self.store.begin()?;
        let mut resolved = 0;
        for (one, plan) in planned {
            match plan {
                Some(plan) => resolved += u64::from(self.finish(&*tx, one, plan)?),
                None => tx.give_back(&one.job.id, &self.worker)?,
            }
        }
        tx.commit()?;
        Ok(resolved)
    }

    fn plan(&self, view: &dyn View, queued: &QueuedJob, now: Timestamp) -> Result<Plan, Failure> {
        match VerifiedJob::of(view, queued, &self.ledger_key, &self.pins, now)? {
            Ok(job) => plan::of(view, &job, &self.schemas, now),
            Err(why) => Ok(Plan::failed(&format!("It was not done, because it is not proven: {why}."))),
        }
    }

    /// Does what was planned, if the job waits still and whoever asked may still have it. Whether something came of it.
    fn finish(&self, tx: &dyn Transaction, queued: &QueuedJob, plan: &Plan) -> Result<bool, Failure> {
        let id = &queued.job.id;
        if !tx.is_claimed(id, &self.worker, self.clock.now())? {
            return Ok(false);
        }
        let stopped = why_not(tx, queued)?.map(|why| Plan::failed(&why));
        let Plan { write, resolution } = stopped.as_ref().unwrap_or(plan);
        if let Some((document, over)) = write
            && !tx.put_document(document, *over)?
        {
            // Another version came in between: it is looked at once more.
            tx.give_back(id, &self.worker)?;
            return Ok(false);
        }
        if !tx.resolve_job(id, &self.worker, resolution)? {
            // Nobody else can have had it since it was looked at; if so, nothing of all this may happen.
            return Err(StoreError::Corrupt("a job that two workers did".into()).into());
        }
        Ok(true)
    }
}

/// What changed since it was accepted, so that it must not be done any more.
fn why_not(tx: &dyn Transaction, queued: &QueuedJob) -> Result<Option<String>, Failure> {
    let job = &queued.job;
    if !tx.active_keys(&job.account)?.iter().any(|key| key.primary == job.key) {
        return Ok(Some("It was not done, because the key that asked for it is not active any more.".into()));
    }
    let instance = tx.instance(&job.instance)?;
    if instance.is_none_or(|instance| instance.state != InstanceState::Active) {
        return Ok(Some(
            "It was not done, because the host that it came from is not active any more.".into(),
        ));
    }
    let name = plan::collection_of(job);
    let collection = name.map(|name| tx.collection(&name)).transpose()?.flatten();
    Ok(match collection.map(|collection| collection.state) {
        None => Some("There is no such collection.".into()),
        Some(Life::Retired) => Some("The collection is retired for good.".into()),
        Some(Life::Pending | Life::Suspended) => Some("The collection is suspended. Ask its owner.".into()),
        Some(Life::Active) => None,
    })
}

impl Resolution {
    /// It could not be done, and nothing was changed.
    ///
    /// Whatever the reason quotes, it fits an entry of the ledger, and any database takes it.
    pub(crate) fn failed(reason: &str) -> Self {
        const LONGEST: usize = 1500;
        let reason = reason.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        Self { done: false, reason, version: None, yields: Yield::Nothing }
    }
}
