//! A login.

use super::{Effect, Job, Performed};
use crate::stop::Stop;

/// Nothing is changed here: the entry and its receipt are the session's beginning.
pub(super) fn perform(job: &Job<'_>) -> Result<Performed, Stop> {
    // Policies say so too; this one cannot be edited away.
    if job.statement.resource.name() != job.instance.fingerprint.to_string() {
        return Ok(Performed::Unknown);
    }
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    if job.statement.login.is_none() {
        return Ok(Performed::Impossible("The request names no login.".into()));
    }
    // Without it, one signature would do for any of them: a screen unlocked, or root.
    if job.statement.service.is_none() {
        return Ok(Performed::Impossible("The request names no service.".into()));
    }
    Ok(Performed::Done(Effect::default()))
}
