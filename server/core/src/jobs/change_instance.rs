//! Barring a host, letting it work again, and ending its key.

use countersign_protocol::ids::Fingerprint;
use countersign_protocol::message::InstanceState;
use countersign_protocol::message::result::InstanceChanged;

use super::{Job, Performed};
use crate::context::Context;
use crate::instances::Instance;
use crate::stop::Stop;

/// What the host does until an administrator lifts it: nothing.
pub(super) fn suspend(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let instance = match other_than_this(ctx, job)? {
        Ok(instance) => instance,
        Err(why) => return Ok(why),
    };
    match instance.state {
        InstanceState::Active => go(ctx, instance, InstanceState::Suspended),
        InstanceState::Suspended => unchanged(instance),
        InstanceState::Pending => Ok(Performed::impossible(format!(
            "The host {} waits for approval and can do nothing yet. To turn it away: countersign admin host revoke {0}",
            instance.fingerprint
        ))),
        InstanceState::Revoked => revoked(ctx, instance, "suspend"),
    }
}

/// A bar and the mark of a fork are lifted together: an administrator looked, and decided.
pub(super) fn resume(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let instance = match named(ctx, job)? {
        Ok(instance) => instance,
        Err(why) => return Ok(why),
    };
    match instance.state {
        InstanceState::Revoked => return revoked(ctx, instance, "resume"),
        InstanceState::Pending => {
            return Ok(Performed::impossible(format!(
                "The host {} was never approved. Compare its key words, then: countersign admin host approve {}",
                instance.fingerprint, instance.key_words
            )));
        }
        InstanceState::Active | InstanceState::Suspended => {}
    }
    let fork_lifted = ctx.tx().lift_fork(&instance.fingerprint)?;
    let (before, after) = (instance.state, InstanceState::Active);
    let resumed = before != after && ctx.tx().move_instance(&instance.fingerprint, before, after, ctx.now)?;
    if !fork_lifted && !resumed {
        return unchanged(instance);
    }
    let result = InstanceChanged {
        instance: instance.fingerprint,
        claimed_hostname: instance.claimed_hostname,
        state: after,
        fork_lifted,
        changed: true,
    };
    let states = [("state", after.as_str().to_owned()), ("state-before", before.as_str().to_owned())];
    if !fork_lifted {
        return Performed::noting(&result, states);
    }
    let [state, state_before] = states;
    let since = instance.forked.map_or_else(String::new, |at| at.to_string());
    let detail =
        [state, state_before, ("fork-lifted", format!("marked since {since}; its counter begins anew"))];
    Performed::noting(&result, detail)
}

/// For good: what it signs is taken no more, and its key never enrols again.
pub(super) fn revoke(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let instance = match other_than_this(ctx, job)? {
        Ok(instance) => instance,
        Err(why) => return Ok(why),
    };
    match instance.state {
        InstanceState::Revoked => match now_known_as(ctx, &instance)? {
            Some(now) => Ok(replaced(&instance, &now, "revoke")),
            None => unchanged(instance),
        },
        InstanceState::Pending | InstanceState::Active | InstanceState::Suspended => {
            go(ctx, instance, InstanceState::Revoked)
        }
    }
}

fn named(ctx: &Context<'_>, job: &Job<'_>) -> Result<Result<Instance, Performed>, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(Err(takes_none));
    }
    let name = job.statement.resource.name();
    let there = match name.parse::<Fingerprint>() {
        Ok(fingerprint) => ctx.tx().instance(&fingerprint)?,
        Err(_) => None,
    };
    let missing =
        || Performed::impossible(format!("There is no host {name}. See: countersign admin host list"));
    Ok(there.ok_or_else(missing))
}

/// The host that carries the request stays able to carry others: so there is always one to administer from.
fn other_than_this(ctx: &Context<'_>, job: &Job<'_>) -> Result<Result<Instance, Performed>, Stop> {
    Ok(named(ctx, job)?.and_then(|instance| {
        if instance.fingerprint == job.instance.fingerprint {
            let why = "That is the host you are sitting at: nothing could be administered from it any more. Do it from \
                       another host.";
            return Err(Performed::impossible(why));
        }
        Ok(instance)
    }))
}

fn go(ctx: &Context<'_>, instance: Instance, to: InstanceState) -> Result<Performed, Stop> {
    if !ctx.tx().move_instance(&instance.fingerprint, instance.state, to, ctx.now)? {
        return Ok(Performed::impossible("Somebody else decided about this host just now."));
    }
    let detail = [("state", to.as_str().to_owned()), ("state-before", instance.state.as_str().to_owned())];
    let result = InstanceChanged {
        instance: instance.fingerprint,
        claimed_hostname: instance.claimed_hostname,
        state: to,
        fork_lifted: false,
        changed: true,
    };
    Performed::noting(&result, detail)
}

fn unchanged(instance: Instance) -> Result<Performed, Stop> {
    let detail = [("nothing-changed", format!("it was {} before", instance.state.as_str()))];
    let result = InstanceChanged {
        instance: instance.fingerprint,
        claimed_hostname: instance.claimed_hostname,
        state: instance.state,
        fork_lifted: false,
        changed: false,
    };
    Performed::noting(&result, detail)
}

fn revoked(ctx: &Context<'_>, instance: Instance, verb: &str) -> Result<Performed, Stop> {
    Ok(match now_known_as(ctx, &instance)? {
        Some(now) => replaced(&instance, &now, verb),
        None => Performed::impossible(format!(
            "The host {} is revoked for good. Enrol it with a new key: countersign host replace",
            instance.fingerprint
        )),
    })
}

/// A host whose key was changed works on under the name of its last one.
fn replaced(instance: &Instance, now: &Instance, verb: &str) -> Performed {
    Performed::impossible(format!(
        "The key {} was replaced, and its host works on as {1}. Name that one: countersign admin host {verb} {1}",
        instance.fingerprint, now.fingerprint
    ))
}

/// The host under the key that it has now; none if no key took this one's place, or the last one is revoked, too.
fn now_known_as(ctx: &Context<'_>, instance: &Instance) -> Result<Option<Instance>, Stop> {
    let mut last = None;
    let mut next = instance.successor.clone();
    // Each was new when it took its place: the chain has an end.
    while let Some(name) = next {
        last = ctx.tx().instance(&name)?;
        next = last.as_ref().and_then(|instance| instance.successor.clone());
    }
    Ok(last.filter(|instance| instance.state != InstanceState::Revoked))
}
