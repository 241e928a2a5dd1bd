//! Requests that wait for approvals: what they are, and taking back what one said about them.

use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ledger::detail;
use countersign_protocol::message::result::{
    ApprovalShown, RequestAsked, RequestChanged, RequestList, RequestShown, RequestState,
};
use countersign_protocol::statement::Statement;

use super::approve_request::is_asked_now;
use super::policy::ALL;
use super::{Job, Performed, RESULT};
use crate::approvals::{self, RequestName, Tally, WaitingRequest};
use crate::context::Context;
use crate::stop::{Failure, Stop};

/// Most requests in a list, of one's own and of others each.
const LISTED: u64 = 100;

/// Most that are looked through for those that wait for somebody.
const LOOKED_THROUGH: u64 = 1000;

/// What one asked for, is asked to approve, or approved. What it yielded is told once, to whoever asked for it.
pub(super) fn read(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let Some(request) = named(ctx, job)? else { return Ok(missing(job)) };
    let own = request.account == job.account.name;
    let given = ctx.tx().approvals_of_request(&request.id)?;
    let is_theirs =
        own || request.asks(job.account) || given.iter().any(|one| one.account == job.account.name);
    let is_over = over(&request, ctx.now).is_some();
    if !is_theirs && (is_over || !is_asked_now(ctx, &request, job.account)?) {
        return Ok(missing(job));
    }
    let mut told = shown(ctx, &request)?;
    if told.state == RequestState::Waiting {
        approvals::check(ctx, &request)?;
        let body = request.body.clone().map(Binary);
        told.asked = Some(RequestAsked { statement: request.signed.statement.clone(), body });
    }
    // A host that was seen twice, and a server that is not right, are told nothing that is told once.
    let may_take = own && job.instance.forked.is_none() && ctx.verdict().standstill().is_none();
    if let Some(sealed) = request.result.as_ref().filter(|_| may_take) {
        let unreadable = |error: String| Failure::Reply(format!("what {} yielded: {error}", request.id));
        let opened = ctx.store_key().open_aside(RESULT, request.id, sealed);
        let opened = opened.map_err(|error| unreadable(error.to_string()))?;
        if ctx.tx().drop_outcome(&request.id)? {
            let result = serde_json::from_slice(&opened).map_err(|error| unreadable(error.to_string()))?;
            told.result = Some(result);
        }
    }
    Performed::yielding(&told)
}

/// One's own, and those of others that wait for one's approval.
pub(super) fn list(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    if job.statement.resource.name() != ALL {
        return Ok(Performed::Unknown);
    }
    Performed::yielding(&RequestList { requests: concerning(ctx, job)? })
}

/// Those, the oldest first.
pub(super) fn concerning(ctx: &Context<'_>, job: &Job<'_>) -> Result<Vec<RequestShown>, Stop> {
    let mut requests = ctx.tx().requests_of(&job.account.name, LISTED)?;
    let waiting = ctx.tx().requests_that_wait(ctx.now, LOOKED_THROUGH)?;
    let others = waiting.into_iter().filter(|one| one.account != job.account.name && one.asks(job.account));
    requests.extend(others.take(usize::try_from(LISTED).unwrap_or(usize::MAX)));
    requests.sort_by(|one, other| other.made.cmp(&one.made).then(one.id.cmp(&other.id)));
    requests.iter().map(|one| shown(ctx, one)).collect()
}

/// Whoever asked calls it off; whoever approved it takes that back. Only as long as it waits.
pub(super) fn withdraw(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    let Some(request) = named(ctx, job)? else { return Ok(missing(job)) };
    let own = request.account == job.account.name;
    let given = ctx.tx().approvals_of_request(&request.id)?;
    let approval = given.iter().find(|one| one.account == job.account.name);
    if !own && approval.is_none() {
        return Ok(missing(job));
    }
    if let Some(state) = over(&request, ctx.now) {
        return Ok(state);
    }
    let (changed, state) = match own {
        true => {
            (ctx.tx().end_request(&request.id, RequestState::Withdrawn, ctx.now)?, RequestState::Withdrawn)
        }
        false => {
            (ctx.tx().take_approval_back(&request.id, &job.account.name, ctx.now)?, RequestState::Waiting)
        }
    };
    if !changed {
        return Ok(Performed::impossible(
            "Somebody else decided about this request just now. Look at it again.",
        ));
    }
    let left: Vec<_> = given.iter().filter(|one| one.account != job.account.name).cloned().collect();
    let missing = match own {
        true => None,
        false => Some(Tally::of(ctx, &request, left)?.missing(&request.needs)),
    };
    let result = RequestChanged {
        id: request.id,
        request: request.correlation.clone(),
        state,
        reason: None,
        missing,
        changed: true,
    };
    let what = match own {
        true => ("withdrawn", "yes".to_owned()),
        false => (detail::TAKEN_BACK, request.digest().to_string()),
    };
    let said =
        [(detail::REQUEST, request.id.to_string()), (detail::OF_ACCOUNT, request.account.to_string()), what];
    Performed::noting(&result, said)
}

/// The request that the resource names.
pub(super) fn named(ctx: &Context<'_>, job: &Job<'_>) -> Result<Option<WaitingRequest>, Stop> {
    match job.statement.resource.name().parse::<RequestName>() {
        Ok(name) => Ok(ctx.tx().waiting_request(&name)?),
        Err(_) => Ok(None),
    }
}

/// One that is not there, and one that does not concern them, are the same to whoever asks.
pub(super) fn missing(job: &Job<'_>) -> Performed {
    Performed::Impossible(format!(
        "No request {} of yours, or that waits for your approval, is known. See: countersign job list",
        job.statement.resource.name()
    ))
}

/// What to say of one that does not wait any more.
pub(super) fn over(request: &WaitingRequest, now: Timestamp) -> Option<Performed> {
    let name = &request.correlation;
    let words = match request.state_at(now) {
        RequestState::Waiting => return None,
        RequestState::Done => format!("The request {name} has its approvals, and is done."),
        RequestState::Denied => format!("The request {name} was approved, and denied all the same."),
        RequestState::Withdrawn => format!("Whoever made the request {name} called it off."),
        RequestState::Expired => format!(
            "The request {name} waited until {} in vain: it is over. If it is still wanted, it is to be made anew.",
            request.deadline
        ),
    };
    Some(Performed::Impossible(words))
}

fn shown(ctx: &Context<'_>, request: &WaitingRequest) -> Result<RequestShown, Stop> {
    let statement = Statement::from_bytes(&request.signed.statement.0)
        .map_err(|error| Failure::Reply(format!("the request {}: {error}", request.id)))?;
    let state = request.state_at(ctx.now);
    let given = ctx.tx().approvals_of_request(&request.id)?;
    let tally = Tally::of(ctx, request, given.clone())?;
    let approvals = given.into_iter().map(|one| ApprovalShown {
        counts: tally.counts(&one),
        account: one.account,
        at: one.at,
        comment: one.comment,
    });
    Ok(RequestShown {
        id: request.id,
        request: request.correlation.clone(),
        account: request.account.clone(),
        operation: statement.operation,
        resource: statement.resource,
        made: request.made,
        deadline: request.deadline,
        state,
        reason: request.reason.clone(),
        needs: request.needs.clone(),
        missing: (state == RequestState::Waiting).then(|| tally.missing(&request.needs)),
        approvals: approvals.collect(),
        asked: None,
        result: None,
    })
}
