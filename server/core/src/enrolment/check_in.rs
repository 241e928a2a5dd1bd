//! "I am here; what is new?"

use countersign_protocol::binary::Binary;
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::message::{CheckIn, CheckInReply};

use crate::context::Context;
use crate::draft::Draft;
use crate::instances::{Counting, Instance};
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::roster::Asked;
use crate::stop::Stop;

/// Counts the check-in and tells the host where it stands.
///
/// Only an alarm is recorded: hosts check in every few minutes, for years.
pub(crate) fn check_in(ctx: &mut Context<'_>, instance: &Instance) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let body: CheckIn = ctx.body()?;
    let asked = Asked::new(body.logins, body.services)?;
    // The counter is saved before it is sent: the same one twice means two hosts with one key (W25).
    let (mut instance, mut news) = (instance.clone(), false);
    let made = ctx.message().time;
    match instance.counting(body.counter, made, ctx.now) {
        Counting::Next => {
            let counted = instance.counted_now(made, ctx.now);
            let _counts = ctx.tx().count_check_in(&instance.fingerprint, body.counter, counted)?;
        }
        // Two count, each for itself: that is known, and both are told where they stand.
        _ if instance.forked.is_some() => {}
        Counting::Late => return Err(Reason::Late.into()),
        Counting::LateByItsClock => return Err(Reason::LateByItsClock.into()),
        Counting::Again => {
            if ctx.tx().mark_forked(&instance.fingerprint, ctx.now)? {
                alarm(ctx, &instance, body.counter)?;
                news = true;
            }
            instance.forked = Some(ctx.now);
        }
    }

    if body.version.is_some() && body.version != instance.version {
        ctx.tx().note_version(&instance.fingerprint, body.version.as_ref())?;
        instance.version = body.version;
    }
    let version_retired = super::version_is_retired(ctx, &instance.application, instance.version.as_ref())?;
    let policy = ctx.policy()?;
    let told = asked.told(ctx.tx(), &policy, ctx.rules(), ctx.verdict(), &instance)?;
    let revision = told.revision()?;
    let mine = ctx.identity();
    let server_certificate = body
        .server_certificate
        .filter(|theirs| *theirs != mine.certificate_digest())
        .map(|_| Binary(mine.certificate_bytes().to_vec()));
    let roster = told.signed(ctx.identity(), &instance, ctx.now)?;
    let (checkpoint, consistency) = ctx.newest_checkpoint(body.ledger_size)?;
    let reply = CheckInReply {
        state: instance.state,
        forked: instance.forked.is_some(),
        policy_epoch: policy.epoch(),
        roster,
        revision,
        checkpoint,
        consistency,
        version_retired,
        server_certificate,
    };
    let recipient = Recipient::Instance(instance.fingerprint);
    Ok(Draft::unrecorded(recipient, &reply)?.quietly(!news))
}

/// Records that two hosts were seen with one key.
pub(super) fn alarm(ctx: &mut Context<'_>, instance: &Instance, counter: u64) -> Result<(), Stop> {
    let mut entry = ctx.entry(
        EntryKind::Alarm,
        Outcome::Noted,
        "a host's counter came again: it was cloned or set back. Logins go on while the server can be reached; \
         administration from it and logins without the server stop until an administrator decides",
    );
    entry.instance = Some(instance.fingerprint.clone());
    entry.detail.insert("counter".into(), counter.to_string());
    entry.detail.insert("counter-before".into(), instance.counter.to_string());
    ctx.append(entry)
}
