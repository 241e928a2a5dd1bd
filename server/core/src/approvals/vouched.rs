//! Rows that this server wrote: whoever edits the database makes no request, and no approval of one (W23).

use countersign_protocol::approval;
use countersign_protocol::ids::{Digest, MessageId};

use super::{Approval, WaitingRequest};
use crate::codes::{self, Mac};
use crate::context::Context;
use crate::refusal::Reason;
use crate::secrets::Pepper;
use crate::stop::Stop;

/// The request with its MAC.
pub(crate) fn sealed(pepper: &Pepper, request: WaitingRequest) -> WaitingRequest {
    WaitingRequest { mac: Some(mac(pepper, &request)), ..request }
}

/// The approval with its MAC.
pub(crate) fn signed(pepper: &Pepper, request: &MessageId, approval: Approval) -> Approval {
    Approval { mac: Some(mac_of_approval(pepper, request, &approval)), ..approval }
}

/// This server took the request, as it is here, and it waits.
///
/// # Errors
/// [`Reason::DatabaseEdited`].
pub(crate) fn check(ctx: &Context<'_>, request: &WaitingRequest) -> Result<(), Stop> {
    if is(request.mac, &mac(ctx.pepper(), request)) {
        return Ok(());
    }
    Err(Reason::DatabaseEdited(format!("the request {}", request.correlation)).into())
}

/// Whether this server took the approval, as it is here.
pub(super) fn is_ours(pepper: &Pepper, request: &MessageId, approval: &Approval) -> bool {
    is(approval.mac, &mac_of_approval(pepper, request, approval))
}

fn is(kept: Option<Mac>, right: &Mac) -> bool {
    codes::equal(&kept.unwrap_or_default(), right) && kept.is_some()
}

fn mac(pepper: &Pepper, request: &WaitingRequest) -> Mac {
    let WaitingRequest {
        id, correlation, account, key, instance, signed, body, needs, made, deadline, ..
    } = request;
    pepper.mac(&[
        b"waiting-request",
        id.as_bytes(),
        correlation.as_str().as_bytes(),
        account.as_str().as_bytes(),
        key.as_bytes(),
        instance.as_bytes(),
        &signed.statement.0,
        &signed.signature.0,
        body.as_ref().map(|body| Digest::of(body).to_string()).unwrap_or_default().as_bytes(),
        approval::spelled(needs).as_bytes(),
        &made.seconds().to_be_bytes(),
        &deadline.seconds().to_be_bytes(),
    ])
}

fn mac_of_approval(pepper: &Pepper, request: &MessageId, approval: &Approval) -> Mac {
    let Approval { account, key, card, signed, place, at, comment, mac: _ } = approval;
    pepper.mac(&[
        b"request-approval",
        request.as_bytes(),
        account.as_str().as_bytes(),
        key.as_bytes(),
        card.to_string().as_bytes(),
        &signed.statement.0,
        &signed.signature.0,
        &place.to_be_bytes(),
        &at.seconds().to_be_bytes(),
        comment.as_deref().unwrap_or_default().as_bytes(),
    ])
}
