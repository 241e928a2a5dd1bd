//! A request that policy permits once other people approved it: it is kept, and they are told.

use std::collections::BTreeMap;

use countersign_protocol::approval::{self, Needs};
use countersign_protocol::ledger::{Check, detail};
use countersign_protocol::limits;
use countersign_protocol::message::result::RequestState;
use countersign_protocol::message::{Decision, Waiting};

use super::table::perform;
use super::{Effect, Job, Performed, Ruling, unknown};
use crate::approvals::{self, WaitingRequest};
use crate::context::Context;
use crate::stop::Stop;

/// The check of an entry about a request that has not its approvals.
pub(super) const APPROVALS: &str = "approvals";

/// Keeps it until then, as it was signed. One that is only tried is not kept.
pub(super) fn begin(
    ctx: &mut Context<'_>,
    job: &Job<'_>,
    demand: Vec<Needs>,
    policies: Vec<String>,
) -> Result<Ruling, Stop> {
    // What cannot be done, nobody need approve.
    ctx.tx().mark()?;
    let performed = perform(ctx, job)?;
    ctx.tx().back_to_mark()?;
    let becomes_job = match performed {
        Performed::Done(effect) => effect.job.is_some(),
        Performed::Impossible(why) => return Ok(Ruling::denied(&why, policies, "possible")),
        Performed::Unknown => return Ok(unknown(job.statement)),
    };
    if job.body.is_some_and(|body| body.len() > limits::WAITING_BODY) {
        let why = format!(
            "This takes approvals, and what waits for them has a body of at most {} bytes.",
            limits::WAITING_BODY
        );
        return Ok(Ruling::denied(&why, policies, "possible"));
    }
    let request = WaitingRequest {
        id: ctx.message().id,
        correlation: ctx.correlation.clone(),
        account: job.account.name.clone(),
        key: job.key.clone(),
        instance: job.instance.fingerprint.clone(),
        signed: job.asked.clone(),
        body: job.body.map(<[u8]>::to_vec),
        // The API takes nobody's word for it, however long it waited.
        carried: if becomes_job { Some(ctx.countersigned(job.instance)?) } else { None },
        needs: demand,
        made: ctx.now,
        deadline: ctx.now.plus(limits::APPROVAL_LIFE),
        state: RequestState::Waiting,
        reason: None,
        result: None,
        mac: None,
    };
    let request = approvals::sealed(ctx.pepper(), request);
    let WaitingRequest { id, correlation, needs, deadline, .. } = &request;
    let waiting =
        Waiting { id: *id, request: correlation.clone(), deadline: *deadline, needs: needs.clone() };
    let mut said: BTreeMap<String, String> =
        waiting.recorded().into_iter().map(|(name, words)| (name.to_owned(), words)).collect();
    said.insert(detail::REQUEST.to_owned(), id.to_string());
    let wanted = approval::any_of(needs);
    let mut reason = format!("It would wait for {wanted}.");
    if !job.statement.dry_run {
        if !ctx.tx().add_waiting_request(&request, limits::WAITING_REQUESTS)? {
            let why = format!(
                "{} of your requests wait for approvals already. Call one off first: countersign job list, countersign job \
                 withdraw",
                limits::WAITING_REQUESTS
            );
            return Ok(Ruling::denied(&why, policies, "possible"));
        }
        let told = approvals::tell_approvers(ctx, &request, job.statement)?;
        said.insert("approvers-told".to_owned(), told.to_string());
        reason =
            format!("It waits for {wanted}, until {deadline}. They: countersign job approve {correlation}");
    }
    Ok(Ruling {
        decision: Decision::Denied,
        reason: crate::refusal::short(&reason),
        policies,
        check: Check::failed(APPROVALS),
        effect: Effect { detail: said, ..Effect::default() },
        waiting: Some(waiting),
    })
}
