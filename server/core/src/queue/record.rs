//! What the API did goes into the ledger, which it cannot write, and what nobody fetched in time goes away.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ledger::{Entry, EntryKind, Outcome};
use countersign_protocol::message::JobStanding;

use super::StandingJob;
use crate::core::Core;
use crate::ledger::StorageFailure;
use crate::stop::Failure;

/// Most characters of a reason, of which an entry holds some thousands.
const LONGEST: usize = 2000;

/// Most jobs of one transaction.
const AT_ONCE: u64 = 64;

impl Core {
    /// Writes down what came of jobs, and ends leases and results whose time is over, until nothing of it is left. To be called
    /// when something was done, and every few seconds.
    ///
    /// # Errors
    /// [`Failure`]; what was not done is done the next time.
    pub fn record_jobs(&self) -> Result<(), Failure> {
        loop {
            let now = self.now();
            let (unrecorded, is_over) = {
                let view = self.view()?;
                (!view.unrecorded_jobs(1)?.is_empty(), view.has_ended_results(now)?)
            };
            if !unrecorded && !is_over {
                return Ok(());
            }
            if is_over {
                // By itself: what cannot be written down must not keep a result alive.
                let tx = self.store().begin()?;
                let _more = tx.end_results(now)?;
                tx.commit()?;
            }
            let ledger = self.ledger();
            let mut tx = self.store().begin()?;
            for done in tx.unrecorded_jobs(AT_ONCE)? {
                let _beside = ledger.append(&mut *tx, &entry(&done, now), None)?;
                tx.job_is_recorded(&done.job.id)?;
            }
            let sealed = ledger.seal(&mut *tx)?;
            let _proof = sealed.commit(|| tx.commit().map_err(|error| StorageFailure(error.into())))?;
        }
    }
}

pub(super) fn entry(done: &StandingJob, now: Timestamp) -> Entry {
    let job = &done.job;
    let decision = match done.standing {
        JobStanding::Failed => Outcome::Denied,
        JobStanding::Cancelled | JobStanding::Expired => Outcome::Noted,
        _ => Outcome::Allowed,
    };
    // Whatever a row holds, it keeps no other from being written down.
    let reason: String = done.reason.chars().take(LONGEST).collect();
    let mut entry = Entry {
        instance: Some(job.instance.clone()),
        account: Some(job.account.clone()),
        operation: Some(job.operation.clone()),
        resource: Some(job.resource.clone()),
        ..Entry::new(EntryKind::JobDone, now, job.correlation.clone(), decision, reason)
    };
    entry.detail.insert("job".into(), job.id.to_string());
    if let Some(version) = done.version {
        entry.detail.insert("version".into(), version.to_string());
    }
    entry
}
