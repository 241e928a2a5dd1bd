//! An application's way from registered to retired.

use countersign_protocol::ids::ApplicationName;
use countersign_protocol::life::Step;
use countersign_protocol::message::result::ApplicationChanged;

use super::{Job, Performed};
use crate::applications::Application;
use crate::context::Context;
use crate::stop::Stop;

pub(super) fn approve(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    change(ctx, job, Step::Approve)
}

pub(super) fn suspend(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    change(ctx, job, Step::Suspend)
}

pub(super) fn resume(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    change(ctx, job, Step::Resume)
}

pub(super) fn retire(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    change(ctx, job, Step::Retire)
}

/// Hosts that are enrolled stay what they are, whatever becomes of their application: nobody is locked out by it.
fn change(ctx: &Context<'_>, job: &Job<'_>, step: Step) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let before = match named(ctx, job)? {
        Ok(application) => application,
        Err(why) => return Ok(why),
    };
    let was = before.state;
    let after = match before.after(step) {
        Ok(after) => after,
        Err(not_from) => return not_possible(job, step, not_from.0),
    };
    if !ctx.tx().move_application(&after.name, was, after.state, ctx.now)? {
        return Ok(Performed::impossible("Somebody else decided about this application just now."));
    }
    let detail = [("state", after.state.to_string()), ("state-before", was.to_string())];
    let result = ApplicationChanged { application: after.name, state: after.state, changed: true };
    Performed::noting(&result, detail)
}

/// It stands like this already, or there is no way.
fn not_possible(job: &Job<'_>, step: Step, is: countersign_protocol::life::Life) -> Result<Performed, Stop> {
    use countersign_protocol::life::Life;
    let name = job.statement.resource.name();
    let as_asked = matches!(
        (step, is),
        (Step::Approve | Step::Resume, Life::Active)
            | (Step::Suspend, Life::Suspended)
            | (Step::Retire, Life::Retired)
    );
    match name.parse::<ApplicationName>() {
        Ok(application) if as_asked => {
            let detail = [("nothing-changed", format!("it was {is} before"))];
            Performed::noting(&ApplicationChanged { application, state: is, changed: false }, detail)
        }
        _ => Ok(Performed::Impossible(format!(
            "The application {name} is {is}, so that cannot be done to it."
        ))),
    }
}

/// The application that the request names.
pub(super) fn named(ctx: &Context<'_>, job: &Job<'_>) -> Result<Result<Application, Performed>, Stop> {
    let name = job.statement.resource.name();
    let there = match name.parse::<ApplicationName>() {
        Ok(name) => ctx.tx().application_named(&name)?,
        Err(_) => None,
    };
    Ok(there.ok_or_else(|| Performed::Impossible(format!("There is no application {name}."))))
}
