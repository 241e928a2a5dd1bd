//! What a person asks for by signing a statement: one pipeline for logins and administration.

mod about;
mod add_key;
mod approve_instance;
mod approve_request;
mod change_account;
mod change_application;
mod change_collection;
mod change_grant;
mod change_instance;
mod change_version;
mod contacts;
mod create_account;
mod create_application;
mod create_collection;
mod create_enrolment_token;
mod erase_account;
mod explain;
mod list;
mod list_applications;
mod list_collections;
mod open_session;
mod own_jobs;
mod own_keys;
mod policy;
mod read_ledger;
mod recoveries;
mod renew_emergency_code;
mod requests;
mod revoke_key;
mod table;
mod update_account;
mod waiting;

pub(crate) use read_ledger::{Looked, look as look_in_the_ledger};

pub use create_account::{invite, new_code};
pub use create_application::new_application;
pub use create_enrolment_token::new_token;

use std::collections::BTreeMap;

use countersign_protocol::approval::{self, Needs};
use countersign_protocol::binary::Binary;
use countersign_protocol::ids::{CorrelationId, Digest, Fingerprint};
use countersign_protocol::ledger::{Check, Entry, EntryKind, Outcome, detail};
use countersign_protocol::message::result::Evidence;
use countersign_protocol::message::{Decision, JobAccepted, JobReply, Waiting};
use countersign_protocol::random;
use countersign_protocol::statement::{SignedStatement, Statement};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::accounts::{Account, AccountKey, SEEN_STEP};
use crate::approvals::Approved;
use crate::context::{AS_RECORDED, Context};
use crate::draft::{Draft, Then};
use crate::instances::Instance;
use crate::policy::{Facts, PolicyDecision};
use crate::prepared::{Prepared, SignedByPerson};
use crate::queue;
use crate::refusal::{Reason, short};
use crate::replies::Recipient;
use crate::stop::{Failure, Stop};

/// The operation of a login.
pub(crate) const OPEN_SESSION: &str = "open-session";

/// Somebody else was faster.
const KEY_CHANGED: &str = "Your key changed just now. Ask again.";

/// The role that somebody must always have who can use it.
pub const ADMINISTRATOR: &str = "administrator";

/// A permitted request, on its way to be done.
struct Job<'a> {
    statement: &'a Statement,
    /// Who asks.
    account: &'a Account,
    /// Whose card: its key's primary fingerprint.
    key: &'a Fingerprint,
    instance: &'a Instance,
    body: Option<&'a [u8]>,
    /// The statement's bytes, and the card's signature.
    asked: &'a SignedStatement,
    /// What was looked for in the ledger beforehand.
    looked: Option<&'a Looked>,
    /// The entries beside which lies what somebody signed who is to be erased, and how far they were looked for.
    signed: Option<(Vec<u64>, u64)>,
}

/// What became of it.
struct Ruling {
    decision: Decision,
    reason: String,
    policies: Vec<String>,
    /// The last check made, and whether it passed.
    check: Check,
    effect: Effect,
    /// What it waits for, if other people must approve it. Nothing happened then.
    waiting: Option<Waiting>,
}

/// What policy lets somebody do.
struct Permission {
    policies: Vec<String>,
    reason: String,
    /// The approvals that it takes, any of these; none if it is empty.
    demand: Vec<Needs>,
}

/// What a request yielded that had waited is sealed for this.
const RESULT: &[u8] = b"request-result";

/// What was done, for whoever asked and for the ledger.
#[derive(Default)]
struct Effect {
    result: Option<serde_json::Value>,
    /// It is done by the API.
    job: Option<Box<JobAccepted>>,
    detail: BTreeMap<String, String>,
    /// Another request that was done with it: its entry follows.
    then: Option<Box<Then>>,
}

/// What doing it yields.
enum Performed {
    /// It was done.
    Done(Effect),
    /// It cannot be done, and nothing was changed; why, in words for who asked.
    Impossible(String),
    /// There is no such operation on such a resource.
    Unknown,
}

/// Decides a job request, does it if it is allowed, and records either.
pub(crate) fn job_request(
    ctx: &mut Context<'_>,
    instance: &Instance,
    prepared: Prepared,
) -> Result<Draft, Stop> {
    ctx.outside_handshakes()?;
    let Prepared::Job(signed) = prepared else { return Err(Reason::UnknownSender.into()) };
    let SignedByPerson { request, statement: proof, certificate, looked, signed: places } = *signed?;
    let statement = proof.statement();
    let account = ctx.tx().account(&statement.account)?;
    let account = account.ok_or_else(|| Reason::Statement("the account is gone".into()))?;
    let primary = match account.keys().find(|key| key.certificate == certificate) {
        Some(key) => key.primary.clone(),
        None => return Err(Reason::Statement("the account's key changed".into()).into()),
    };
    if statement.body != request.body_digest() {
        return Err(Reason::BodyDigest.into());
    }
    if !ctx.tx().burn_nonce(&statement.nonce, ctx.now)? {
        return Err(Reason::StatementUsed.into());
    }

    if account.seen.is_none_or(|seen| ctx.now.seconds_since(seen) >= SEEN_STEP) {
        ctx.tx().saw_account(&account.name, ctx.now)?;
    }

    let body = request.body.as_ref().map(|body| body.0.as_slice());
    let job = Job {
        statement,
        account: &account,
        key: &primary,
        instance,
        body,
        asked: &request.signed,
        looked: looked.as_ref(),
        signed: places,
    };
    let ruling = if statement.dry_run { try_only(ctx, &job)? } else { rule(ctx, &job, None)? };

    let evidence =
        Evidence { salt: Binary(random::array::<32>(ctx.random())?.to_vec()), signed: request.signed };
    let dry_run = statement.dry_run.then_some(ruling.decision);
    let waiting = ruling.waiting;
    let (decision, outcome) = match (ruling.decision, dry_run.is_some() || waiting.is_some()) {
        (Decision::Allowed, false) => (Decision::Allowed, Outcome::Allowed),
        (Decision::Denied, false) => (Decision::Denied, Outcome::Denied),
        // Nothing happened, whoever reads it and however.
        (_, true) => (Decision::Denied, Outcome::Noted),
    };
    let entry = Entry {
        instance: Some(instance.fingerprint.clone()),
        application: Some(instance.application.clone()),
        account: Some(account.name.clone()),
        key: Some(primary),
        operation: Some(statement.operation.clone()),
        resource: Some(statement.resource.clone()),
        login: statement.login.clone(),
        service: statement.service.clone(),
        checks: vec![
            Check::passed("instance-signature"),
            Check::passed("instance-active"),
            Check::passed("statement-signature"),
            Check::passed("statement-body"),
            Check::passed("statement-unused"),
            ruling.check,
        ],
        policy_epoch: ctx.policy()?.epoch(),
        policies: ruling.policies,
        statement: Some(proof.digest()),
        evidence: Some(evidence.digest()),
        detail: ruling.effect.detail,
        ..ctx.entry(EntryKind::Job, outcome, ruling.reason.clone())
    };
    let job = ruling.effect.job.map(|accepted| *accepted).filter(|_| decision == Decision::Allowed);
    let queued = match &job {
        Some(accepted) => {
            Some(Box::new((ctx.countersigned(instance)?, queue::Job::of(statement, &entry, accepted)?)))
        }
        None => None,
    };
    let (reason, result, then) = (ruling.reason, ruling.effect.result, ruling.effect.then.map(|then| *then));
    let correlation: CorrelationId = ctx.correlation.clone();
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    let answer =
        move |receipt| JobReply { decision, reason, correlation, receipt, dry_run, waiting, job, result };
    let quiet = decision == Decision::Denied || queued.is_some() || is_harmless(statement);
    let draft = Draft::recorded(recipient, entry, Some(evidence), answer).quietly(quiet);
    Ok(draft.queueing(queued).then(then))
}

/// Does it, sees what came of it, and takes everything back but that the statement was used. What it would have made, such
/// as a code, is worth nothing and told to nobody.
fn try_only(ctx: &mut Context<'_>, job: &Job<'_>) -> Result<Ruling, Stop> {
    ctx.tx().mark()?;
    let ruling = rule(ctx, job, None)?;
    ctx.tx().back_to_mark()?;
    let words = match (ruling.decision, &ruling.waiting) {
        (_, Some(_)) => "Dry run, nothing was changed. It would not be done at once:",
        (Decision::Allowed, None) => "Dry run, nothing was changed. It would be allowed:",
        (Decision::Denied, None) => "Dry run, nothing was changed. It would be denied:",
    };
    let reason = short(&format!("{words} {}", ruling.reason));
    let mut said = BTreeMap::from([(detail::DRY_RUN.to_owned(), ruling.decision.as_str().to_owned())]);
    if let Some(waiting) = &ruling.waiting {
        said.insert(detail::APPROVALS_NEEDED.to_owned(), approval::spelled(&waiting.needs));
    }
    let effect = Effect { detail: said, ..Effect::default() };
    Ok(Ruling { reason, effect, waiting: None, ..ruling })
}

/// Asks policy, and does what it allows: what takes approvals only with the proof that they are there, and otherwise it
/// waits for them.
fn rule(ctx: &mut Context<'_>, job: &Job<'_>, approved: Option<&Approved>) -> Result<Ruling, Stop> {
    let Permission { policies, reason, demand } = match permission(ctx, job)? {
        Ok(permission) => permission,
        Err(denied) => return Ok(denied),
    };
    let statement = Digest::of(&job.asked.statement.0);
    if !demand.is_empty() && !approved.is_some_and(|approved| approved.is_for(&statement, &demand)) {
        return waiting::begin(ctx, job, demand, policies);
    }
    Ok(match table::perform(ctx, job)? {
        Performed::Done(effect) => Ruling {
            decision: Decision::Allowed,
            reason,
            policies,
            check: Check::passed("policy"),
            effect,
            waiting: None,
        },
        Performed::Impossible(why) => Ruling::denied(&why, policies, "possible"),
        Performed::Unknown => unknown(job.statement),
    })
}

/// Whether host and account may work, and what policy says. Changes nothing.
fn permission(ctx: &Context<'_>, job: &Job<'_>) -> Result<Result<Permission, Ruling>, Stop> {
    let statement = job.statement;
    let deny =
        |reason: &str, policies: Vec<String>, check: &str| Ok(Err(Ruling::denied(reason, policies, check)));
    if job.instance.forked.is_some() && !is_harmless(statement) {
        let reason =
            "This host was seen twice with one key. It cannot administer until an administrator decides.";
        return deny(reason, Vec::new(), "instance-not-forked");
    }
    if let Err(reason) = ctx.as_recorded(&job.account.name, &job.instance.fingerprint) {
        return deny(&reason, Vec::new(), AS_RECORDED);
    }
    if let Some(why) = ctx.verdict().standstill().filter(|_| !is_harmless(statement)) {
        return deny(&why.to_string(), Vec::new(), AS_RECORDED);
    }
    let about = about::about(ctx.tx(), &statement.resource, &job.account.name, ctx.now)?;
    let facts = Facts::of_request(job.account, job.instance, statement, Some(&about), ctx.now);
    let policy = ctx.policy()?;
    match policy.decide(&facts) {
        PolicyDecision::Allowed { policies, reason, approvals } => {
            let demand = policy.demand(&statement.operation, &statement.resource, approvals);
            Ok(Ok(Permission { policies, reason, demand }))
        }
        PolicyDecision::Denied { policies, reason } => deny(&reason, policies, "policy"),
    }
}

/// There is nothing that it could be about.
fn unknown(Statement { account, operation, resource, .. }: &Statement) -> Ruling {
    let why = format!("No policy lets account {account} {operation} {resource}.");
    Ruling::denied(&why, Vec::new(), "known")
}

impl Ruling {
    fn denied(reason: &str, policies: Vec<String>, check: &str) -> Self {
        Self {
            decision: Decision::Denied,
            // It may quote the body, of any length.
            reason: short(reason),
            policies,
            check: Check::failed(check),
            effect: Effect::default(),
            waiting: None,
        }
    }
}

/// Whether it changes nothing, whatever it is about.
pub(crate) fn is_harmless(statement: &Statement) -> bool {
    matches!(statement.operation.as_str(), OPEN_SESSION | "read" | "list" | "read-contacts" | "explain")
}

/// Words for the ledger, of which an entry holds some thousands: the beginning of more.
fn fitting(words: String) -> String {
    const MOST: usize = 2000;
    match words.char_indices().nth(MOST) {
        None => words,
        Some((end, _)) => words.get(..end).map(|kept| format!("{kept} …")).unwrap_or_default(),
    }
}

impl Performed {
    fn yielding<R: Serialize>(result: &R) -> Result<Self, Stop> {
        Self::noting(result, [])
    }

    /// The same, with words that the ledger shall have.
    fn noting<R: Serialize, const N: usize>(result: &R, detail: [(&str, String); N]) -> Result<Self, Stop> {
        let value = serde_json::to_value(result).map_err(|error| Failure::Reply(error.to_string()))?;
        let detail = detail.into_iter().map(|(name, words)| (name.to_owned(), words)).collect();
        Ok(Self::Done(Effect { result: Some(value), detail, ..Effect::default() }))
    }

    /// What the API does, or why it would not.
    fn accepted(accepted: Result<JobAccepted, String>) -> Self {
        match accepted {
            Err(why) => Self::Impossible(why),
            Ok(job) => {
                let until = job.expires.to_string();
                let detail = BTreeMap::from([(detail::QUEUED_UNTIL.to_owned(), until)]);
                Self::Done(Effect { job: Some(Box::new(job)), detail, ..Effect::default() })
            }
        }
    }

    fn impossible(why: impl Into<String>) -> Self {
        Self::Impossible(why.into())
    }
}

impl Job<'_> {
    /// The key whose card signed, as the account has it; none if somebody took it away just now.
    fn own_key(&self) -> Option<&AccountKey> {
        self.account.keys().find(|key| key.primary == *self.key)
    }

    /// The typed body, or what to tell whoever sent none or another.
    fn body<B: DeserializeOwned>(&self, what: &str) -> Result<B, Performed> {
        let impossible = |why: String| Performed::Impossible(why);
        let body = self.body.ok_or_else(|| impossible(format!("The request needs a body: {what}.")))?;
        serde_json::from_slice(body).map_err(|error| impossible(format!("The body is not {what}: {error}.")))
    }

    /// For jobs that take none.
    fn without_body(&self) -> Result<(), Performed> {
        match self.body {
            None => Ok(()),
            Some(_) => Err(Performed::Impossible("The request takes no body.".into())),
        }
    }
}
