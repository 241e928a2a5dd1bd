//! One's own jobs: how they stand, and an end to those that nobody did so far.

use countersign_protocol::message::JobStanding;
use countersign_protocol::message::result::{JobList, JobShown};

use super::{Job, Performed, requests};
use crate::context::Context;
use crate::queue::{self, StandingJob};
use crate::stop::Stop;

pub(super) fn list(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let found = ctx.tx().jobs_of(&job.account.name, queue::JOBS_SHOWN)?;
    let requests = requests::concerning(ctx, job)?;
    Performed::yielding(&JobList { jobs: found.into_iter().map(shown).collect(), requests })
}

/// A job that is done by now stays done.
pub(super) fn cancel(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let name = job.statement.resource.name();
    let missing = || Performed::impossible("There is no such job of yours. See: countersign job list");
    let Some(found) = queue::own(ctx.tx(), &job.account.name, name)? else { return Ok(missing()) };
    let id = found.job.id;
    let cancelled = ctx.tx().cancel_job(&id, &job.account.name)?;
    let Some(found) = ctx.tx().job(&id)? else { return Ok(missing()) };
    if !cancelled && found.standing != JobStanding::Cancelled {
        return Ok(Performed::Impossible(format!(
            "The job {} is {} and can no longer be called off.",
            found.job.correlation,
            found.standing.as_str()
        )));
    }
    let detail = [("job", id.to_string()), ("of-request", found.job.correlation.to_string())];
    Performed::noting(&JobList { jobs: vec![shown(found)], requests: Vec::new() }, detail)
}

fn shown(found: StandingJob) -> JobShown {
    let StandingJob { job, standing, reason, .. } = found;
    JobShown {
        job: job.id,
        correlation: job.correlation,
        instance: job.instance,
        operation: job.operation,
        resource: job.resource,
        standing,
        reason,
        accepted: job.accepted,
        expires: job.expires,
    }
}
