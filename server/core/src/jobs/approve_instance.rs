//! An administrator compared the key words on a host's screen.

use countersign_protocol::key_words;
use countersign_protocol::message::InstanceState;
use countersign_protocol::message::result::InstanceApproved;

use super::{Job, Performed};
use crate::context::Context;
use crate::stop::Stop;

/// By key words alone, never by what the host calls itself.
pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let words = key_words::normalise(job.statement.resource.name());
    let mut waiting = ctx.tx().pending_instances(&words)?;
    let (Some(instance), true) = (waiting.pop(), waiting.is_empty()) else {
        let why = "Exactly one waiting host must show these key words; read them from its screen again.";
        return Ok(Performed::Impossible(why.into()));
    };
    let approved = instance.approve()?;
    if !ctx.tx().move_instance(&approved.fingerprint, InstanceState::Pending, approved.state, ctx.now)? {
        return Ok(Performed::Impossible("Somebody else decided about this host just now.".into()));
    }
    Performed::yielding(&InstanceApproved {
        instance: approved.fingerprint,
        claimed_hostname: approved.claimed_hostname,
    })
}
