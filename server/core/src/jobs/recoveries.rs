//! Recoveries: who signed for them, and who says no.

use countersign_protocol::ids::CorrelationId;
use countersign_protocol::key_words::key_words;
use countersign_protocol::message::result::{RecoveryApproval, RecoveryList, RecoveryShown};

use super::{Job, KEY_CHANGED, Performed};
use crate::context::Context;
use crate::outbox::Purpose;
use crate::recovery::{self, Approval, Ending, Recovery};
use crate::stop::Stop;

/// An administrator's signature for exactly this: the recovery by its name, the account, and the new key in full. Policy
/// keeps those away whose account it is; one administrator, one key and one card count once.
pub(super) fn approve(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let wanted: RecoveryApproval = match job.body("the account and the new key's fingerprint") {
        Ok(wanted) => wanted,
        Err(why) => return Ok(why),
    };
    let recovery = match named(ctx, job)? {
        Ok(recovery) => recovery,
        Err(why) => return Ok(why),
    };
    recovery::check(ctx, &recovery)?;
    if wanted.account != recovery.account || wanted.key != recovery.key.primary {
        return Ok(Performed::Impossible(format!(
            "The recovery {} is of another account or key than you sign for. Have its person read both from their screen \
             again, and do not go on if they differ.",
            recovery.id
        )));
    }
    if recovery.account == job.account.name {
        return Ok(Performed::impossible("Nobody signs for a recovery of their own account."));
    }
    let Some(key) = job.own_key() else {
        return Ok(Performed::impossible(KEY_CHANGED));
    };
    let (administrator, by) = (job.account.name.clone(), key.primary.clone());
    let approval = Approval { administrator, key: by, card: key.card, mac: None };
    let approval = recovery::signed(ctx.pepper(), &recovery.id, approval);
    let new = ctx.tx().approve_recovery(&recovery.id, &approval, ctx.now)?;
    if !new && !ctx.tx().approvals(&recovery.id)?.contains(&approval) {
        return Ok(Performed::impossible(
            "Another administrator signed with the same card. It takes two people with a card each.",
        ));
    }
    let detail = [
        ("of-account", recovery.account.to_string()),
        ("new-key", recovery.key.primary.to_string()),
        match new {
            true => ("approved", "yes".to_owned()),
            false => ("nothing-changed", "this administrator had signed before".to_owned()),
        },
    ];
    Performed::noting(&RecoveryList { recoveries: vec![shown(ctx, recovery)?] }, detail)
}

/// The account's own card, or any administrator, ends it.
pub(super) fn withdraw(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let recovery = match named(ctx, job)? {
        Ok(recovery) => recovery,
        Err(why) => return Ok(why),
    };
    if !ctx.tx().end_recovery(&recovery.id, Ending::Withdrawn, ctx.now, ctx.now)? {
        return Ok(Performed::impossible("Somebody else decided about this recovery just now."));
    }
    let text = format!(
        "The recovery {} of your account {} was ended on {}; nothing changed. The recovery code is used up. With your card, \
         make another: countersign recover new-code {1}",
        recovery.id, recovery.account, ctx.now
    );
    ctx.post().notify(&recovery.account, Purpose::Recovery, &text)?;
    let detail = [("of-account", recovery.account.to_string()), ("withdrawn", "yes".to_owned())];
    Performed::noting(&RecoveryList { recoveries: vec![shown(ctx, recovery)?] }, detail)
}

pub(super) fn list(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    if job.statement.resource.name() != "all" {
        return Ok(Performed::Unknown);
    }
    let under_way = ctx.tx().recoveries(ctx.now)?;
    let recoveries = under_way.into_iter().map(|one| shown(ctx, one)).collect::<Result<_, Stop>>()?;
    Performed::yielding(&RecoveryList { recoveries })
}

fn named(ctx: &Context<'_>, job: &Job<'_>) -> Result<Result<Recovery, Performed>, Stop> {
    let name = job.statement.resource.name();
    let there = match name.parse::<CorrelationId>() {
        Ok(id) => ctx.tx().recovery(&id, ctx.now)?,
        Err(_) => None,
    };
    let missing = || Performed::Impossible(format!("No recovery {name} is under way."));
    Ok(there.ok_or_else(missing))
}

fn shown(ctx: &Context<'_>, recovery: Recovery) -> Result<RecoveryShown, Stop> {
    let approvals = ctx.tx().approvals(&recovery.id)?;
    Ok(RecoveryShown {
        not_before: recovery.not_before(),
        expires: recovery.expires(),
        key_words: key_words(&recovery.key.primary),
        key: recovery.key.primary,
        id: recovery.id,
        account: recovery.account,
        claimed_hostname: recovery.claimed_hostname,
        begun: recovery.begun,
        approvals: approvals.into_iter().map(|one| one.administrator).collect(),
    })
}
