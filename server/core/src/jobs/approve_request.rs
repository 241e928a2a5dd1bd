//! Somebody's signature for another person's request; with the last one that is needed, the request is done.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::envelope::statement::verify_later;
use countersign_protocol::ids::{CardIdent, Digest};
use countersign_protocol::ledger::{Check, Entry, EntryKind, Outcome, detail};
use countersign_protocol::limits;
use countersign_protocol::message::result::{ApprovalComment, Evidence, RequestChanged, RequestState};
use countersign_protocol::message::{Decision, InstanceState, JobAccepted};
use countersign_protocol::random;
use countersign_protocol::statement::Statement;

use super::requests::{missing, named, over};
use super::{Effect, Job, Performed, RESULT, permission, rule};
use crate::accounts::Account;
use crate::approvals::{self, Approval, Approved, Tally, WaitingRequest};
use crate::context::Context;
use crate::draft::Then;
use crate::instances::Instance;
use crate::queue;
use crate::stop::{Failure, Stop};
use crate::store::StoreError;

/// What an approval is for, with whoever asked for it as they are now.
struct Asked {
    account: Account,
    instance: Instance,
    statement: Statement,
}

pub(super) fn perform(ctx: &mut Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let comment = match comment(job) {
        Ok(comment) => comment,
        Err(why) => return Ok(why),
    };
    let Some(request) = named(ctx, job)? else { return Ok(missing(job)) };
    if let Some(state) = over(&request, ctx.now) {
        // Where it stands is told to whoever was asked.
        return Ok(if request.asks(job.account) { state } else { missing(job) });
    }
    approvals::check(ctx, &request)?;
    let asked = match asked(ctx, &request)? {
        Ok(asked) => asked,
        Err(why) => return Ok(Performed::Impossible(why)),
    };
    let wanted = request_of(&request, &asked);
    // As policy says it now; while it says no, as it said.
    let demand = match permission(ctx, &wanted)? {
        Ok(permission) => permission.demand,
        Err(_) => request.needs.clone(),
    };
    if !request.asks(job.account) && !approvals::asks(&demand, job.account) {
        return Ok(missing(job));
    }
    let card = match may_approve(job, &request, &asked) {
        Ok(card) => card,
        Err(why) => return Ok(why),
    };
    let approval = Approval {
        account: job.account.name.clone(),
        key: job.key.clone(),
        card,
        signed: job.asked.clone(),
        // Nothing is written before this request's own entry, but by the request that it may set off: then it is told otherwise.
        place: ctx.tx().tip().map_err(Failure::from)?.size,
        at: ctx.now,
        comment,
        mac: None,
    };
    let approval = approvals::signed(ctx.pepper(), &request.id, approval);
    let new = ctx.tx().approve_request(&request.id, &approval, ctx.now)?;
    let given = ctx.tx().approvals_of_request(&request.id)?;
    if !new && !given.iter().any(|one| one.account == job.account.name) {
        return Ok(Performed::impossible(
            "Somebody else approved it with the same card. It takes several people with a card each.",
        ));
    }
    match Tally::of(ctx, &request, given)?.approved(&demand) {
        Ok(approved) => carry_out(ctx, job, &request, &asked, &approved),
        Err(missing) => Performed::noting(
            &RequestChanged {
                id: request.id,
                request: request.correlation.clone(),
                state: RequestState::Waiting,
                reason: None,
                missing: Some(missing),
                changed: new,
            },
            [
                (detail::REQUEST, request.id.to_string()),
                (detail::OF_ACCOUNT, request.account.to_string()),
                match new {
                    true => (detail::APPROVES, request.digest().to_string()),
                    false => ("nothing-changed", "this account had approved it before".to_owned()),
                },
            ],
        ),
    }
}

/// Whether policy, as it is now, asks this account to approve what waits.
pub(super) fn is_asked_now(
    ctx: &Context<'_>,
    request: &WaitingRequest,
    account: &Account,
) -> Result<bool, Stop> {
    let Ok(asked) = asked(ctx, request)? else { return Ok(false) };
    let permission = permission(ctx, &request_of(request, &asked))?;
    Ok(permission.is_ok_and(|permission| approvals::asks(&permission.demand, account)))
}

fn comment(job: &Job<'_>) -> Result<Option<String>, Performed> {
    if job.body.is_none() {
        return Ok(None);
    }
    let ApprovalComment { comment } = job.body("a comment")?;
    if comment.chars().count() > limits::APPROVAL_COMMENT {
        let why = format!("A comment has at most {} characters.", limits::APPROVAL_COMMENT);
        return Err(Performed::Impossible(why));
    }
    if comment.chars().any(char::is_control) {
        return Err(Performed::impossible("A comment is one line of text, without control characters."));
    }
    Ok(Some(comment))
}

/// Whoever asked is active, and so are their key and host; and what they signed is good.
fn asked(ctx: &Context<'_>, request: &WaitingRequest) -> Result<Result<Asked, String>, Stop> {
    let not = |what: &str| {
        Ok(Err(format!("{what}. It cannot be approved now; made anew, it would be another request.")))
    };
    let Some(account) = ctx.tx().account(&request.account)? else {
        return not("Whoever asked for it is gone");
    };
    let Some(key) = account.active_keys().find(|key| key.primary == request.key) else {
        return not("The account or the card that asked for it is not active any more");
    };
    let cert = certificate::parse(&key.certificate).map_err(|error| Failure::Reply(error.to_string()))?;
    let Ok(verified) = verify_later(&request.signed, &cert) else {
        return not("The key that asked for it is not the account's any more");
    };
    if !key.signing.contains(verified.key()) {
        return not("The key that asked for it is not the account's any more");
    }
    let statement = verified.statement().clone();
    let instance = ctx.tx().instance(&request.instance)?;
    match instance.filter(|instance| instance.state == InstanceState::Active) {
        Some(instance) => Ok(Ok(Asked { account, instance, statement })),
        None => not("The host through which it was asked for is not active any more"),
    }
}

fn request_of<'a>(request: &'a WaitingRequest, asked: &'a Asked) -> Job<'a> {
    Job {
        statement: &asked.statement,
        account: &asked.account,
        key: &request.key,
        instance: &asked.instance,
        body: request.body.as_deref(),
        asked: &request.signed,
        looked: None,
        // For `erase`: nothing was looked for beforehand, so that all of it is looked through now.
        signed: Some((Vec::new(), 0)),
    }
}

/// Another person, with another card, who signed for exactly this.
fn may_approve(job: &Job<'_>, request: &WaitingRequest, asked: &Asked) -> Result<CardIdent, Performed> {
    if job.statement.approves != Some(request.digest()) {
        return Err(Performed::impossible(format!(
            "What you signed for is not what waits under {}. Look at it again: countersign job show {0}",
            request.correlation
        )));
    }
    if request.account == job.account.name {
        return Err(Performed::impossible("Nobody approves what they ask for themselves."));
    }
    let Some(card) = job.own_key().and_then(|key| key.card) else {
        return Err(Performed::impossible(
            "It is not known which card your key is on, so that it cannot be told from others. Register it anew: countersign \
             register ACCOUNT --second",
        ));
    };
    if asked.account.keys().any(|key| key.card == Some(card)) {
        return Err(Performed::impossible("Your card is also that of whoever asks. It takes a card each."));
    }
    Ok(card)
}

/// The request itself, with policy asked anew, in the transaction of its last approval. The proof is spent with it.
fn carry_out(
    ctx: &mut Context<'_>,
    job: &Job<'_>,
    request: &WaitingRequest,
    asked: &Asked,
    approved: &Approved,
) -> Result<Performed, Stop> {
    if !ctx.tx().end_request(&request.id, RequestState::Done, ctx.now)? {
        return Ok(Performed::impossible(
            "Somebody else decided about this request just now. Look at it again.",
        ));
    }
    let ruling = rule(ctx, &request_of(request, asked), Some(approved))?;
    let (state, outcome) = match ruling.decision {
        Decision::Allowed => (RequestState::Done, Outcome::Allowed),
        Decision::Denied => (RequestState::Denied, Outcome::Denied),
    };
    let unwritten = |error: serde_json::Error| Failure::Reply(error.to_string());
    let yielded =
        ruling.effect.result.map(|result| serde_json::to_vec(&result)).transpose().map_err(unwritten)?;
    let sealed = match yielded {
        Some(yielded) => Some(
            ctx.store_key()
                .seal_aside(RESULT, request.id, &yielded)
                .map_err(|error| Failure::Reply(error.to_string()))?,
        ),
        None => None,
    };
    ctx.tx().keep_outcome(&request.id, state, &ruling.reason, sealed.as_deref())?;
    approvals::tell_requester(ctx, request, &ruling.reason)?;

    let salt = Binary(random::array::<32>(ctx.random())?.to_vec());
    let evidence = Evidence { salt, signed: request.signed.clone() };
    let correlation = request.correlation.clone();
    let mut entry = Entry {
        instance: Some(asked.instance.fingerprint.clone()),
        application: Some(asked.instance.application.clone()),
        account: Some(request.account.clone()),
        key: Some(request.key.clone()),
        operation: Some(asked.statement.operation.clone()),
        resource: Some(asked.statement.resource.clone()),
        checks: vec![
            Check::passed("statement-signature"),
            Check::passed(super::waiting::APPROVALS),
            ruling.check,
        ],
        policy_epoch: ctx.policy()?.epoch(),
        policies: ruling.policies,
        statement: Some(request.digest()),
        evidence: Some(evidence.digest()),
        detail: ruling.effect.detail,
        ..Entry::new(EntryKind::Job, ctx.now, correlation.clone(), outcome, ruling.reason.clone())
    };
    entry.detail.insert(detail::REQUEST.to_owned(), request.id.to_string());
    entry.detail.insert(detail::APPROVALS_NEEDED.to_owned(), approved.fulfilled().spelled());
    let proof = approved.proof(Digest::of(&job.asked.statement.0));
    let queued = match ruling.effect.job.filter(|_| state == RequestState::Done) {
        None => None,
        Some(accepted) => {
            let carried = request.carried.clone();
            let carried =
                carried.ok_or_else(|| StoreError::Corrupt("a request that is to be a job".into()))?;
            let accepted = JobAccepted { job: request.id, ..*accepted };
            Some(Box::new((carried, queue::Job::of(&asked.statement, &entry, &accepted)?)))
        }
    };
    let said_of = move |place: u64| {
        entry.detail.insert(detail::APPROVED_BY.to_owned(), proof.at(place));
        (entry, evidence)
    };
    let then = Then { entry: Box::new(said_of), queued };
    let result = RequestChanged {
        id: request.id,
        request: correlation,
        state,
        reason: Some(ruling.reason),
        missing: None,
        changed: true,
    };
    let said = [
        (detail::REQUEST, request.id.to_string()),
        (detail::OF_ACCOUNT, request.account.to_string()),
        (detail::APPROVES, request.digest().to_string()),
    ];
    match Performed::noting(&result, said)? {
        Performed::Done(effect) => Ok(Performed::Done(Effect { then: Some(Box::new(then)), ..effect })),
        other => Ok(other),
    }
}
