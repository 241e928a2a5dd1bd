//! Rows that this server wrote: whoever edits the database makes no recovery, and no administrator's signature (W23).

use countersign_protocol::ids::CorrelationId;

use super::{Approval, Recovery};
use crate::codes::{self, Mac};
use crate::context::Context;
use crate::refusal::Reason;
use crate::secrets::Pepper;
use crate::standing::Subject;
use crate::stop::Stop;

/// The recovery with its MAC.
pub(crate) fn sealed(pepper: &Pepper, recovery: Recovery) -> Recovery {
    Recovery { mac: Some(mac(pepper, &recovery)), ..recovery }
}

/// The approval with its MAC.
pub(crate) fn signed(pepper: &Pepper, recovery: &CorrelationId, approval: Approval) -> Approval {
    Approval { mac: Some(mac_of_approval(pepper, recovery, &approval)), ..approval }
}

/// This server began it and nobody ended it, and what is known of the account was not edited either.
///
/// # Errors
/// [`Reason::DatabaseEdited`], or the store's.
pub(crate) fn check(ctx: &Context<'_>, recovery: &Recovery) -> Result<(), Stop> {
    let edited = |row: String| Err(Reason::DatabaseEdited(row).into());
    // The account's own row names it until it ends, and the ledger holds that row to what was said of it.
    let named = ctx.tx().account(&recovery.account)?.and_then(|account| account.recovery);
    if !is(recovery.mac, &mac(ctx.pepper(), recovery)) || named.as_ref() != Some(&recovery.id) {
        return edited(format!("the recovery {}", recovery.id));
    }
    let account = Subject::account(&recovery.account);
    if ctx.distrusts(&account) { edited(account.to_string()) } else { Ok(()) }
}

/// This server heard the administrator sign.
///
/// # Errors
/// [`Reason::DatabaseEdited`].
pub(super) fn check_approval(
    ctx: &Context<'_>,
    recovery: &CorrelationId,
    approval: &Approval,
) -> Result<(), Stop> {
    if is(approval.mac, &mac_of_approval(ctx.pepper(), recovery, approval)) {
        return Ok(());
    }
    let row = format!("what {} signed for the recovery {recovery}", approval.administrator);
    Err(Reason::DatabaseEdited(row).into())
}

fn is(kept: Option<Mac>, right: &Mac) -> bool {
    codes::equal(&kept.unwrap_or_default(), right) && kept.is_some()
}

fn mac(pepper: &Pepper, recovery: &Recovery) -> Mac {
    let Recovery { id, account, key, claimed_hostname, begun, by_card, mac: _ } = recovery;
    let text = |one: Option<String>| one.unwrap_or_default();
    let signing: Vec<String> = key.signing.iter().map(ToString::to_string).collect();
    pepper.mac(&[
        b"recovery",
        id.as_str().as_bytes(),
        account.as_str().as_bytes(),
        &key.certificate,
        &key.short,
        key.primary.as_bytes(),
        signing.join(" ").as_bytes(),
        text(key.authentication.as_ref().map(ToString::to_string)).as_bytes(),
        text(key.card.map(|card| card.to_string())).as_bytes(),
        claimed_hostname.as_bytes(),
        &begun.seconds().to_be_bytes(),
        &[u8::from(*by_card)],
    ])
}

fn mac_of_approval(pepper: &Pepper, recovery: &CorrelationId, approval: &Approval) -> Mac {
    let Approval { administrator, key, card, mac: _ } = approval;
    pepper.mac(&[
        b"recovery-approval",
        recovery.as_str().as_bytes(),
        administrator.as_str().as_bytes(),
        key.as_bytes(),
        card.map(|card| card.to_string()).unwrap_or_default().as_bytes(),
    ])
}
