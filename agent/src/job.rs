//! A person's request to the server: signed by their card, carried, answered.

mod body;
mod outcome;
mod unopened;

pub use self::unopened::Unopened;

use std::sync::Arc;

use countersign_protocol::ids::{CardIdent, MessageId};
use countersign_protocol::ipc::{Job, JobDone, JobResultAsk, NoteKind, ProblemKind, Reply};
use countersign_protocol::statement::{Statement, StatementError};
use serde::Serialize;

use self::outcome::{Served, Waiter};
use crate::agent::{Agent, find_card};
use crate::card::KeptPin;
use crate::drive::{Candidate, Drive, Subject};
use crate::history::{self, Viewer};
use crate::keeper::FORKED;
use crate::peer::Peer;
use crate::person::Person;
use crate::session::Verdict;
use crate::trouble::Trouble;

/// What the journal keeps.
#[derive(Serialize)]
struct Journalled<'a> {
    event: &'static str,
    correlation: &'a str,
    uid: u32,
    account: Option<&'a str>,
    operation: &'a str,
    resource: &'a str,
    allowed: bool,
    ledger_index: u64,
    /// Of one that was accepted, or waits for approvals: its name, under which what came of it is fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<MessageId>,
}

/// Answers one [`Job`]. The result, if there is one, goes beside the last frame.
///
/// # Errors
/// [`Trouble`].
pub fn job(
    agent: &Arc<Agent>,
    peer: &Peer,
    ask: &Job,
    person: &mut Person,
) -> Result<(Reply, Option<Vec<u8>>), Trouble> {
    let held = body::take(&agent.bodies, peer.uid, ask, person)?;
    let correlation = agent.correlation()?;
    let link = agent.ready_link(person.deadline())?;
    let candidates = candidates(agent, ask.card)?;
    let subject = Subject {
        operation: ask.operation.clone(),
        resource: ask.resource.clone(),
        login: None,
        service: None,
        claimed: None,
        place: None,
        body: held.body,
        dry_run: ask.dry_run,
        approves: ask.approves.clone(),
        correlation: correlation.clone(),
        uid: peer.uid,
    };
    if agent.contacts.get().is_some_and(|contact| contact.forked) {
        person.note(NoteKind::Error, FORKED);
    }
    let tried = if ask.dry_run { ", as a dry run: nothing is changed by it" } else { "" };
    person.note(NoteKind::Info, &format!("To sign: {} {}{tried}", ask.operation, ask.resource));
    let (asker, kept) = (peer.asker(), KeptPin::default());
    if let Some(approved) = &ask.approves {
        person.note(NoteKind::Info, &for_whom(&approved.0)?);
    }
    let decided = Drive {
        agent,
        link: &link,
        candidates,
        codes: Vec::new(),
        subject,
        only: ask.card,
        asker: asker.clone(),
        desk: None,
        keeps_pin: Some(&kept).filter(|_| may_be_sealed(ask)),
    }
    .run(person);
    let answer = match decided.verdict {
        Verdict::Answered(answer) => answer,
        // There is no desk at which a job could be decided.
        Verdict::GrantedHere(_) => {
            return Err(Trouble::new(ProblemKind::Internal, "A job was decided here."));
        }
        Verdict::Refused(refused) => {
            if let Some(event) = refused.event {
                agent.report_card(event, correlation.clone(), decided.choice.as_ref(), &refused.message);
            }
            return Err(Trouble::new(kind(refused.reason), refused.message).known_as(correlation));
        }
    };
    let entry = Journalled {
        event: "job",
        correlation: answer.correlation().as_str(),
        uid: peer.uid,
        account: decided.choice.as_ref().map(|choice| choice.account.as_str()),
        operation: ask.operation.as_str(),
        resource: ask.resource.as_str(),
        allowed: answer.is_allowed(),
        ledger_index: answer.ledger_index(),
        job: answer.job().map(|accepted| accepted.job).or_else(|| answer.waiting().map(|waiting| waiting.id)),
    };
    agent.settle(&answer, &entry);
    let served = match answer.job() {
        None => None,
        Some(accepted) => {
            let correlation = answer.correlation();
            let waiter = Waiter { agent, link: &link, asker: &asker, kept: &kept, correlation };
            Some(waiter.wait(accepted.job, person)?)
        }
    };
    let result = answer.result().map(serde_json::to_vec).transpose();
    let result = result.map_err(|error| Trouble::new(ProblemKind::Internal, error.to_string()))?;
    let (job, result) = match served {
        None => (None, result),
        Some(Served { stood, result }) => (Some(stood), result),
    };
    let done = JobDone {
        allowed: answer.is_allowed(),
        reason: answer.reason().to_owned(),
        ledger_index: answer.ledger_index(),
        correlation: answer.correlation().clone(),
        has_result: result.is_some(),
        dry_run: answer.dry_run(),
        job,
        waiting: answer.waiting().cloned(),
    };
    Ok((Reply::JobDone(done), result))
}

/// What came of a request of before. Whoever asks for it must have asked for that, here; root may for anybody.
///
/// # Errors
/// [`Trouble`].
pub fn job_result(
    agent: &Arc<Agent>,
    peer: &Peer,
    ask: &JobResultAsk,
    person: &mut Person,
) -> Result<(Reply, Option<Vec<u8>>), Trouble> {
    let link = agent.ready_link(person.deadline())?;
    let Some(found) = history::accepted_job(agent, &Viewer::of(peer), &ask.correlation)? else {
        return Err(Trouble::new(
            ProblemKind::Refused,
            format!(
                "No request {} of yours was accepted on this host a short time ago. `countersign journal` has your requests on this host; their results are served here alone.",
                ask.correlation
            ),
        ));
    };
    let (asker, kept) = (peer.asker(), KeptPin::default());
    let waiter = Waiter { agent, link: &link, asker: &asker, kept: &kept, correlation: &ask.correlation };
    let Served { stood, result } = waiter.wait(found.job, person)?;
    let done = JobDone {
        allowed: true,
        reason: stood.reason.clone(),
        ledger_index: found.ledger_index,
        correlation: ask.correlation.clone(),
        has_result: result.is_some(),
        dry_run: None,
        waiting: None,
        job: Some(stood),
    };
    Ok((Reply::JobDone(done), result))
}

/// Whether the card may have to open something once it is done: only then its PIN is kept for that long.
fn may_be_sealed(ask: &Job) -> bool {
    !ask.dry_run && matches!(ask.operation.as_str(), "read" | "list")
}

/// What an approval is for, out of the very bytes whose digest is signed: whatever program asks cannot show another request.
fn for_whom(approved: &[u8]) -> Result<String, Trouble> {
    let wrong = |error: StatementError| {
        Trouble::new(ProblemKind::Usage, format!("What is to be approved cannot be read: {error}."))
    };
    let Statement { account, operation, resource, time, body, .. } =
        Statement::from_bytes(approved).map_err(wrong)?;
    let with = body.map(|digest| format!(", with a body of SHA-256 {digest}")).unwrap_or_default();
    Ok(format!("It approves this request of {account}, made {time}: {operation} {resource}{with}"))
}

/// Every key this host knows an account for: the roster's, and those registered here.
fn candidates(agent: &Agent, card: Option<CardIdent>) -> Result<Vec<Candidate>, Trouble> {
    let mut candidates: Vec<Candidate> = agent.known.all().iter().filter_map(Candidate::of_known).collect();
    if let Some(held) = agent.contacts.rosters.get() {
        for account in held.verified.roster().entries.iter().flat_map(|entry| &entry.accounts) {
            for new in Candidate::of_roster(account) {
                if !candidates.iter().any(|have| have.key == new.key) {
                    candidates.push(new);
                }
            }
        }
    }
    if candidates.is_empty() {
        return Err(Trouble::new(
            ProblemKind::Card,
            "This host knows no account's card. Register one here: countersign register ACCOUNT",
        ));
    }
    if let Some(card) = card {
        let key = find_card(&agent.cards, card)?.signing_key;
        if !candidates.iter().any(|candidate| Some(&candidate.key) == key.as_ref()) {
            return Err(Trouble::new(
                ProblemKind::Card,
                format!(
                    "The card {card} belongs to no account that this host knows. Register it here: countersign register ACCOUNT --card {card}"
                ),
            ));
        }
    }
    Ok(candidates)
}

/// A denial of the machine as a problem of the command line.
const fn kind(reason: countersign_protocol::ipc::DenyReason) -> ProblemKind {
    use countersign_protocol::ipc::DenyReason as R;
    match reason {
        R::Policy => ProblemKind::Refused,
        R::WrongPin
        | R::CardBlocked
        | R::LastTryRefused
        | R::NoCard
        | R::CardGone
        | R::TouchTimeout
        | R::CardFailed => ProblemKind::Card,
        R::RemoteSession => ProblemKind::NotPermitted,
        R::ServerUnavailable => ProblemKind::Server,
        R::NotEnrolled => ProblemKind::Enrolment,
        R::Cancelled | R::TimedOut => ProblemKind::Cancelled,
        R::Busy => ProblemKind::Busy,
        R::Internal => ProblemKind::Internal,
    }
}
