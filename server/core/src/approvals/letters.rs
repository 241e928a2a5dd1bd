//! What people are told whose approval is wanted, and whoever asked for it.

use std::collections::BTreeSet;

use countersign_protocol::approval::{self, Needs};
use countersign_protocol::ids::AccountName;
use countersign_protocol::limits;
use countersign_protocol::statement::Statement;

use super::WaitingRequest;
use crate::contacts;
use crate::context::Context;
use crate::outbox::Purpose;
use crate::stop::Stop;

/// Tells everybody who is asked and can be reached; how many that is. No body: letters travel in the open.
///
/// # Errors
/// The store's, or no randomness.
pub(crate) fn tell_approvers(
    ctx: &Context<'_>,
    request: &WaitingRequest,
    statement: &Statement,
) -> Result<usize, Stop> {
    let mut asked = BTreeSet::new();
    for requirement in request.needs.iter().flat_map(Needs::requirements) {
        for account in ctx.tx().active_accounts_of(requirement.of())? {
            asked.insert(account.name);
        }
    }
    asked.remove(&request.account);
    let WaitingRequest { account, correlation, deadline, needs, .. } = request;
    let Statement { operation, resource, .. } = statement;
    let text = format!(
        "{account} asks for: {operation} {resource}\nIt waits for {}, until {deadline}.\n\nLook at it, and approve it if it \
         is right:\n\n    countersign job show {correlation}\n    countersign job approve {correlation}\n\nIf it is not, do \
         nothing, and ask {account} what it is about.\n",
        approval::any_of(needs)
    );
    let mut told = 0;
    for name in &asked {
        told += usize::from(tell(ctx, request, name, &text)?);
    }
    Ok(told)
}

/// Tells whoever asked for it that it was decided.
///
/// # Errors
/// The store's, or no randomness.
pub(crate) fn tell_requester(ctx: &Context<'_>, request: &WaitingRequest, said: &str) -> Result<(), Stop> {
    let WaitingRequest { account, correlation, .. } = request;
    let text = format!(
        "Your request {correlation} was approved, and decided on {}: {said}\n\nWhat it yielded, if anything, is told once:\n\n    \
         countersign job show {correlation}\n",
        ctx.now
    );
    tell(ctx, request, account, &text).map(drop)
}

/// Whether one more letter went: a person who asks all day long fills nobody's mailbox, nor does the host at which they do.
fn tell(ctx: &Context<'_>, request: &WaitingRequest, to: &AccountName, text: &str) -> Result<bool, Stop> {
    let mut told = false;
    for contact in contacts::of(ctx.tx(), ctx.store_key(), to)? {
        let by = contact.address.channel();
        let name = ctx.pepper().mac(&[b"approval-letters", by.as_str().as_bytes(), to.as_str().as_bytes()]);
        if ctx.tx().count_letter(&name, limits::LETTERS_TO_A_MAILBOX, ctx.now)?
            && contacts::letters::host_may(ctx, &request.instance, by)?
        {
            told |= ctx.post().tell(contact.address, to, Purpose::Approval, text)?;
        }
    }
    Ok(told)
}
