//! Why a request was decided as it was, or would be: for whoever may know all policies, and for everybody what they were
//! told themselves.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, CorrelationId, Fingerprint};
use countersign_protocol::ledger::{Entry, EntryKind, Outcome, detail};
use countersign_protocol::limits;
use countersign_protocol::message::Decision;
use countersign_protocol::message::result::{
    ExplainAsked, ExportedEntry, OwnDecision, PolicyExplained, PolicyQuestion,
};
use countersign_protocol::statement::{Place, Statement};

use super::policy::ALL;
use super::read_ledger::Looked;
use super::waiting::APPROVALS;
use super::{Job, OPEN_SESSION, Performed, about};
use crate::accounts::Account;
use crate::context::Context;
use crate::core::Core;
use crate::instances::Instance;
use crate::ledger::Found;
use crate::policy::{Facts, PolicySet};
use crate::stop::{Failure, Stop};
use crate::store::View;

/// In place of a document's name: one's own requests.
const MINE: &str = "mine";

/// Looks for the request that is asked about, if one is. Only for who may ask that.
pub(super) fn look(
    core: &Core,
    view: &dyn View,
    statement: &Statement,
    body: Option<&[u8]>,
) -> Result<Option<Looked>, Failure> {
    let asked = body.and_then(|body| serde_json::from_slice::<ExplainAsked>(body).ok());
    let mine = statement.resource.name() == MINE;
    let is_wanted = |entry: &Entry| is_decision(entry) && (!mine || is_theirs(entry, &statement.account));
    let entries = match asked {
        Some(ExplainAsked::Correlation(id)) => core.ledger().latest(view, &id, is_wanted)?,
        Some(ExplainAsked::Entry(index)) if !mine => core.ledger().at(view, index, is_wanted)?,
        _ => return Ok(None),
    };
    Ok(Some(Ok(Found { entries, next: None, size: 0, checkpoint: None })))
}

pub(super) fn perform(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let asked: ExplainAsked = match job.body("what to explain") {
        Ok(asked) => asked,
        Err(why) => return Ok(why),
    };
    match (job.statement.resource.name(), asked) {
        (MINE, ExplainAsked::Correlation(id)) => mine(job, &id),
        (ALL, ExplainAsked::Question(question)) => hypothetical(ctx, job, &question),
        (ALL, ExplainAsked::Correlation(id)) => {
            past(ctx, job, &format!("There is no decision under the correlation id {id}"))
        }
        (ALL, ExplainAsked::Entry(index)) => {
            past(ctx, job, &format!("Entry {index} of the ledger is no decision about a request"))
        }
        _ => Ok(Performed::Unknown),
    }
}

/// What they were told then. A request that never was and somebody else's are the same to them.
fn mine(job: &Job<'_>, id: &CorrelationId) -> Result<Performed, Stop> {
    let Some(entry) = found(job)?.map(|(entry, _)| entry) else {
        return Ok(Performed::impossible(format!(
            "No request of your account has the correlation id {id}, or it is too long ago."
        )));
    };
    let (decision, reason, time) = (decided(&entry), entry.reason, entry.time);
    Performed::yielding(&OwnDecision { decision, reason, time })
}

fn past(ctx: &Context<'_>, job: &Job<'_>, missing: &str) -> Result<Performed, Stop> {
    let Some((entry, exported)) = found(job)? else {
        return Ok(Performed::impossible(format!(
            "{missing}. Of one that is long ago, name the place: countersign policy explain --entry INDEX"
        )));
    };
    let (Some(name), Some(operation), Some(resource), Some(host)) =
        (&entry.account, &entry.operation, &entry.resource, &entry.instance)
    else {
        return Ok(Performed::impossible(format!("{missing}.")));
    };
    let (account, instance) = match who(ctx, name, host)? {
        Ok(who) => who,
        Err(why) => return Ok(why),
    };
    let statement = exported
        .evidence
        .as_ref()
        .and_then(|evidence| Statement::from_bytes(&evidence.signed.statement.0).ok());
    let (tx, epoch) = (ctx.tx(), entry.policy_epoch);
    let unreadable = |error: crate::policy::PolicyError| Failure::Policy(error.in_a_line());
    let policies = match PolicySet::load(&tx.policies_at(epoch)?, epoch) {
        Ok(policies) => policies,
        Err(error) => {
            let why = format!(
                "The policies of epoch {epoch} were written for another release: {}",
                error.in_a_line()
            );
            return Ok(Performed::Impossible(why));
        }
    };
    let about = about::about(tx, resource, name, ctx.now)?;
    let offline = entry.kind == EntryKind::OfflineUse;
    let at: Option<Timestamp> = entry.detail.get(detail::AT).and_then(|at| at.clone().try_into().ok());
    let facts = Facts {
        account: account.facts(),
        instance: instance.facts(),
        operation,
        resource,
        about: Some(&about),
        login: entry.login.as_ref(),
        service: entry.service.as_ref(),
        place: statement.as_ref().and_then(|statement| statement.place.as_ref()),
        claimed: statement.as_ref().and_then(|statement| statement.claimed.as_deref()),
        time: Some(at.filter(|_| offline).unwrap_or(entry.time)),
        offline,
    };
    let mut explained = policies.explain(&facts).map_err(unreadable)?;
    tell_what_was(&mut explained, &entry, statement.is_some());
    Performed::yielding(&explained)
}

/// What was recorded, and what it means that account and host are looked at as they are now.
fn tell_what_was(explained: &mut PolicyExplained, entry: &Entry, has_statement: bool) {
    let by = if entry.policies.is_empty() { "no policy".to_owned() } else { entry.policies.join(", ") };
    let then = decided(entry);
    let notes = &mut explained.notes;
    notes.push(format!("Decided {}: {} by {by}: {}", entry.time, then.as_str(), entry.reason));
    if let Some(check) = entry
        .checks
        .iter()
        .find(|check| !check.passed && !["policy", APPROVALS].contains(&check.name.as_str()))
    {
        notes.push(format!("It was not policy that decided: the check {} failed.", check.name));
    }
    let mut now: Vec<&str> = match explained.decision {
        Decision::Allowed => explained.permits.iter().map(|one| one.id.as_str()).collect(),
        Decision::Denied => explained.forbids.iter().map(|one| one.policy.id.as_str()).collect(),
    };
    now.sort_unstable();
    if now != entry.policies {
        notes.push(
            "Account, host and resource are looked at as they are now, and were others then: so these policies say \
             another thing of them today."
                .into(),
        );
    }
    if !has_statement {
        notes.push("What was signed is not there any more: place and claimed command are not known.".into());
    }
}

fn hypothetical(ctx: &Context<'_>, job: &Job<'_>, question: &PolicyQuestion) -> Result<Performed, Stop> {
    if question.claimed.as_ref().is_some_and(|claimed| claimed.len() > limits::STATEMENT) {
        let why =
            format!("No statement has more than {} bytes, what is claimed included.", limits::STATEMENT);
        return Ok(Performed::Impossible(why));
    }
    let host = question.host.as_ref().unwrap_or(&job.instance.fingerprint);
    let (account, instance) = match who(ctx, &question.account, host)? {
        Ok(who) => who,
        Err(why) => return Ok(why),
    };
    let about = about::about(ctx.tx(), &question.resource, &question.account, ctx.now)?;
    let local = Place::LOCAL;
    let is_login = question.operation.as_str() == OPEN_SESSION;
    let facts = Facts {
        account: account.facts(),
        instance: instance.facts(),
        operation: &question.operation,
        resource: &question.resource,
        about: Some(&about),
        login: question.login.as_ref(),
        service: question.service.as_ref(),
        place: question.place.as_ref().or(is_login.then_some(&local)),
        claimed: question.claimed.as_deref(),
        time: Some(question.time.unwrap_or(ctx.now)),
        offline: question.offline,
    };
    let policies = ctx.policy()?;
    let mut explained = policies.explain(&facts).map_err(|error| Failure::Policy(error.in_a_line()))?;
    if is_login {
        let words = if policies.permits_session_offline(&facts) { "lets" } else { "does not let" };
        explained.notes.push(format!(
            "Where the server cannot be asked, the roster of a host in touch {words} them in by this."
        ));
    }
    Performed::yielding(&explained)
}

fn who(
    ctx: &Context<'_>,
    account: &AccountName,
    host: &Fingerprint,
) -> Result<Result<(Account, Instance), Performed>, Stop> {
    let Some(found) = ctx.tx().account(account)? else {
        return Ok(Err(Performed::impossible(format!(
            "There is no account {account}. See: countersign admin user list"
        ))));
    };
    match ctx.tx().instance(host)? {
        Some(instance) => Ok(Ok((found, instance))),
        None => Ok(Err(Performed::impossible(format!(
            "There is no host {host}. See: countersign admin host list"
        )))),
    }
}

fn found(job: &Job<'_>) -> Result<Option<(Entry, ExportedEntry)>, Stop> {
    let Some(Ok(found)) = job.looked else { return Ok(None) };
    let Some(proven) = found.entries.first() else { return Ok(None) };
    let entry = Entry::from_bytes(&proven.entry.entry.0)
        .map_err(|error| Failure::Reply(format!("entry {}: {error}", proven.index)))?;
    Ok(Some((entry, proven.entry.clone())))
}

/// About something that was asked: by a request, by an emergency code, or of a host without the server.
fn is_decision(entry: &Entry) -> bool {
    entry.operation.is_some()
        && matches!(entry.kind, EntryKind::Job | EntryKind::OfflineUse | EntryKind::Alarm)
}

fn is_theirs(entry: &Entry, account: &AccountName) -> bool {
    entry.kind == EntryKind::Job && entry.account.as_ref() == Some(account)
}

/// Of one that was only tried, what would have come of it.
fn decided(entry: &Entry) -> Decision {
    let tried = entry.detail.get(detail::DRY_RUN).map(|word| word == Decision::Allowed.as_str());
    if tried.unwrap_or(entry.decision == Outcome::Allowed) { Decision::Allowed } else { Decision::Denied }
}
