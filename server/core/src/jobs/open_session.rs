//! A login.

use countersign_protocol::message::result::{RecoveryTold, SessionOpened};

use super::{Effect, Job, Performed};
use crate::context::Context;
use crate::recovery::Recovery;
use crate::stop::Stop;

/// The entry and its receipt are the session's beginning. Whose emergency code was used, or ended, is told of it now: this
/// request was signed by their card.
pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
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
    let (emergency_uses, ended) = match job.account.emergency_news {
        true => {
            let account = &job.statement.account;
            (ctx.tx().tell_emergency_uses(account, ctx.now)?, ctx.tx().tell_emergency_end(account, ctx.now)?)
        }
        false => (Vec::new(), false),
    };
    let emergency_code_ended = ended && ctx.rules().emergency_codes;
    let recovery = under_way(ctx, job)?;
    if emergency_uses.is_empty() && !emergency_code_ended && recovery.is_none() {
        return Ok(Performed::Done(Effect::default()));
    }
    Performed::yielding(&SessionOpened { emergency_uses, emergency_code_ended, recovery })
}

/// Whoever has the live card hears that another one is to take its place, as long as that can be ended.
fn under_way(ctx: &Context<'_>, job: &Job<'_>) -> Result<Option<RecoveryTold>, Stop> {
    let Some(id) = &job.account.recovery else { return Ok(None) };
    let Some(recovery) = ctx.tx().recovery(id, ctx.now)? else { return Ok(None) };
    let Recovery { id, begun, claimed_hostname, .. } = recovery;
    Ok(Some(RecoveryTold { id, begun, claimed_hostname }))
}
