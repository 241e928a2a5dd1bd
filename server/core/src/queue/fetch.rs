//! A result is fetched: once, by the host that carried the request, while whoever asked may still have it (W17, W18).
//!
//! The first fetch has it. Its bytes are answered again until it says that it has the result, or the lease is over; any other one
//! is told that it was served, and so is the person, because somebody else may have read what was theirs.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::ledger::{Check, Entry, EntryKind, Outcome};
use countersign_protocol::message::{
    JobResultReply, JobResultRequest, JobStanding, Message, ResultAck, ResultAckReply,
};

use super::{StandingJob, Yield, lease, record};
use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::outbox::Purpose;
use crate::replies::Recipient;
use crate::stop::{Failure, Stop};
use crate::store::Transaction;

/// Tells how a job stands, with its result if this is the fetch that has it.
pub(crate) fn fetch(ctx: &mut Context<'_>, instance: &Instance) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let asked: JobResultRequest = ctx.body()?;
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    let tell = |standing: JobStanding, reason: &str| {
        let reply = JobResultReply {
            job: asked.job,
            standing,
            reason: reason.to_owned(),
            result: None,
            sealed: None,
            receipt: None,
        };
        Ok(Draft::unrecorded(recipient.clone(), &reply)?.quietly(true))
    };
    let unknown = "This host asked for no such job, it waits for approvals still, or it is too long ago.";
    let Some(found) = ctx.tx().job(&asked.job)? else { return tell(JobStanding::Unknown, unknown) };
    if !is_theirs(ctx, instance, &found.job.instance)? {
        alarm(ctx, instance, &found, "another host asked for the result of a job")?;
        return tell(JobStanding::Unknown, unknown);
    }
    let is_over = ctx.now.seconds_since(found.job.expires) >= 0;
    match found.standing {
        JobStanding::Queued => return tell(JobStanding::Queued, "It waits to be done."),
        JobStanding::Served => {
            alarm(ctx, instance, &found, "a result was asked for that was served before")?;
            return tell(JobStanding::Served, SERVED);
        }
        JobStanding::Done | JobStanding::Failed if found.fetch.is_some() => {
            alarm(ctx, instance, &found, "a result was asked for that is being served")?;
            return tell(JobStanding::Served, SERVED);
        }
        JobStanding::Done | JobStanding::Failed if is_over => return tell(JobStanding::Expired, EXPIRED),
        JobStanding::Done | JobStanding::Failed => {}
        JobStanding::Expired => return tell(JobStanding::Expired, EXPIRED),
        JobStanding::Cancelled => {
            return tell(JobStanding::Cancelled, "It was called off before it was done.");
        }
        JobStanding::Withheld | JobStanding::Unknown => return tell(JobStanding::Withheld, WITHHELD),
    }
    // Whoever lost the right to it meanwhile does not get it, although it was theirs when it was asked for.
    let account = ctx.tx().account(&found.job.account)?;
    if !account.is_some_and(|account| account.active_keys().any(|key| key.primary == found.job.key)) {
        ctx.tx().withhold_result(&asked.job)?;
        let mut entry = entry(ctx, instance, &found, Outcome::Denied, WITHHELD);
        entry.checks.push(Check::failed("key-active"));
        ctx.append(entry)?;
        return tell(JobStanding::Withheld, WITHHELD);
    }
    if !found.recorded {
        ctx.append(record::entry(&found, ctx.now))?;
        ctx.tx().job_is_recorded(&asked.job)?;
    }
    let fetch = ctx.message().id;
    let Some(yields) = ctx.tx().lease_result(&asked.job, &fetch, ctx.now, lease(ctx.now))? else {
        return tell(JobStanding::Served, SERVED);
    };
    let (result, sealed) = match yields {
        Yield::Nothing => (None, None),
        Yield::Plain(json) => {
            let value = serde_json::from_slice(&json).map_err(|error| Failure::Reply(error.to_string()))?;
            (Some(value), None)
        }
        Yield::Sealed(sealed) => (None, Some(sealed.into())),
    };
    let entry = entry(ctx, instance, &found, Outcome::Allowed, "The result was served.");
    let (job, standing, reason) = (asked.job, found.standing, found.reason);
    let answer =
        move |receipt| JobResultReply { job, standing, reason, result, sealed, receipt: Some(receipt) };
    Ok(Draft::recorded(recipient, entry, None, answer).quietly(true))
}

const SERVED: &str =
    "Its result was served before. If that was not you, tell an administrator of the server.";
const EXPIRED: &str = "Its result was not fetched in time and is gone. What was done is done; ask again for what you want to see.";
const WITHHELD: &str =
    "Its result is not served any more, because the key that asked for it is not active now.";

/// Whether this fetch has a result to itself still: its bytes may be answered again.
pub(crate) fn is_leased(tx: &dyn Transaction, fetch: &Message, now: Timestamp) -> Result<bool, Stop> {
    let Ok(asked) = fetch.body::<JobResultRequest>() else { return Ok(false) };
    let leased = tx.job(&asked.job)?.and_then(|found| found.fetch).filter(|(by, _)| *by == fetch.id);
    // What was told of a job that waits, or that others have, is no secret and no result.
    Ok(leased.is_none_or(|(_, until)| now.seconds_since(until) < 0))
}

/// The host has the result: nobody gets it any more.
pub(crate) fn acknowledge(ctx: &Context<'_>, instance: &Instance) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let said: ResultAck = ctx.body()?;
    if let Some(found) = ctx.tx().job(&said.job)?
        && is_theirs(ctx, instance, &found.job.instance)?
    {
        let _was_there = ctx.tx().acknowledge_result(&said.job, &said.fetch)?;
    }
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    Ok(Draft::unrecorded(recipient, &ResultAckReply {})?.quietly(true))
}

/// Whether it was this host's, under this key or an earlier one.
fn is_theirs(ctx: &Context<'_>, instance: &Instance, asked: &Fingerprint) -> Result<bool, Stop> {
    Ok(instance.fingerprint == *asked || ctx.tx().names(&instance.fingerprint)?.contains(asked))
}

fn entry(
    ctx: &Context<'_>,
    instance: &Instance,
    found: &StandingJob,
    decision: Outcome,
    reason: &str,
) -> Entry {
    let job = &found.job;
    let mut entry = Entry {
        correlation: job.correlation.clone(),
        instance: Some(instance.fingerprint.clone()),
        application: Some(instance.application.clone()),
        account: Some(job.account.clone()),
        operation: Some(job.operation.clone()),
        resource: Some(job.resource.clone()),
        checks: vec![Check::passed("instance-signature"), Check::passed("instance-active")],
        ..ctx.entry(EntryKind::JobResult, decision, reason)
    };
    entry.detail.insert("job".into(), job.id.to_string());
    entry
}

fn alarm(ctx: &mut Context<'_>, instance: &Instance, found: &StandingJob, what: &str) -> Result<(), Stop> {
    let mut entry = entry(ctx, instance, found, Outcome::Denied, what);
    entry.kind = EntryKind::Alarm;
    entry.checks.push(Check::failed("result-unserved"));
    ctx.append(entry)?;
    let job = &found.job;
    let text = format!(
        "Somebody asked once more for the result of a request of your account {}: {} {}, {} ({}).\n\nA result is served once. If \
         you did not ask for it twice, somebody else may have read it: tell an administrator, and quote {}.\n",
        job.account, job.operation, job.resource, job.accepted, what, job.correlation
    );
    let _told = ctx.post().notify(&job.account, Purpose::Job, &text)?;
    Ok(())
}
