//! The server's answer to a statement, once it is proven to be that. Without one of these nobody gets in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_protocol::binary::Binary;
use countersign_protocol::ids::{CorrelationId, Digest, MessageId};
use countersign_protocol::ledger::{Outcome, detail};
use countersign_protocol::limits;
use countersign_protocol::message::{
    Decision, EmergencyUse, InReplyTo, JobAccepted, JobReply, JobRequest, Waiting,
};
use countersign_protocol::statement::{SignedStatement, Statement};

use crate::agent::Agent;
use crate::asking::Asking;
use crate::journal::SentJob;
use crate::reach::Patience;
use crate::server_link::Link;
use crate::server_time::Answers;
use crate::unsettled::Flight;
use crate::wire::LinkError;

/// What the server decided, and the ledger vouches for. Made only by [`ask`] and [`prove`].
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    allowed: bool,
    dry_run: Option<Decision>,
    waiting: Option<Box<Waiting>>,
    reason: String,
    correlation: CorrelationId,
    ledger_index: u64,
    statement: Digest,
    result: Option<Box<serde_json::Value>>,
    job: Option<Box<JobAccepted>>,
    /// What is open about it until it was acted upon.
    request: Option<(MessageId, Flight)>,
}

impl Answer {
    /// Whether policy permits it, and it was done.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Of a request that was only tried: what would come of it. Such a one is never allowed.
    #[must_use]
    pub const fn dry_run(&self) -> Option<Decision> {
        self.dry_run
    }

    /// What it waits for, if other people must approve it. Such a one is not allowed so far.
    #[must_use]
    pub fn waiting(&self) -> Option<&Waiting> {
        self.waiting.as_deref()
    }

    /// Why, in words for the person.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// To be quoted to an administrator.
    #[must_use]
    pub const fn correlation(&self) -> &CorrelationId {
        &self.correlation
    }

    /// Where it lies in the ledger.
    #[must_use]
    pub const fn ledger_index(&self) -> u64 {
        self.ledger_index
    }

    /// SHA-256 of the statement that was decided.
    #[must_use]
    pub const fn statement(&self) -> Digest {
        self.statement
    }

    /// What the job yields.
    #[must_use]
    pub fn result(&self) -> Option<&serde_json::Value> {
        self.result.as_deref()
    }

    /// The job that it became, if somebody else is to do it.
    #[must_use]
    pub fn job(&self) -> Option<&JobAccepted> {
        self.job.as_deref()
    }

    /// The request that it answers, as long as it is to be acted upon.
    #[must_use]
    pub fn request(&self) -> Option<(&MessageId, &Flight)> {
        self.request.as_ref().map(|(id, flight)| (id, flight))
    }

    #[cfg(test)]
    pub(crate) fn for_tests(allowed: bool) -> Self {
        Self {
            allowed,
            dry_run: None,
            waiting: None,
            reason: "said so".to_owned(),
            correlation: "7K3M-Q2ZD".parse().unwrap(),
            ledger_index: 7,
            statement: Digest::of(b"statement"),
            result: None,
            job: None,
            request: None,
        }
    }
}

/// What makes a statement somebody's.
#[derive(Debug, Clone)]
pub enum Proof {
    /// Their card signed it.
    Card(SignedStatement),
    /// They typed their emergency code, which goes to the server beside it and nowhere else.
    Code(EmergencyUse),
}

impl Proof {
    /// The statement's bytes.
    #[must_use]
    pub fn statement(&self) -> &[u8] {
        match self {
            Self::Card(signed) => &signed.statement.0,
            Self::Code(coded) => &coded.statement.0,
        }
    }
}

/// A statement and what proves it, and the body that goes with it.
#[derive(Debug, Clone)]
pub struct Question {
    /// The statement.
    pub proof: Proof,
    /// The body whose digest it names, if it names one.
    pub body: Option<Binary>,
    /// What the person is told to quote if no answer comes.
    pub correlation: CorrelationId,
    /// The user whose program asks.
    pub uid: u32,
}

/// How somebody waits for an answer.
pub struct Wait<'a> {
    /// No longer than until then.
    pub deadline: Instant,
    /// The host may decide by itself: whoever waits does not wait long.
    pub is_brief: bool,
    /// Called once if the answer takes its time.
    pub slow: &'a mut dyn FnMut(),
}

/// Why there is no answer. None of it is a yes.
#[derive(Debug)]
pub enum NoAnswer {
    /// The server said nothing.
    Silence(Silence),
    /// It said no, or what does not hold. That is the last word.
    Final(LinkError),
}

/// Proof that the server was asked about this statement, if this host could speak at all, and that nothing it signed came
/// back in time. Made only by [`ask`].
#[derive(Debug)]
pub struct Silence {
    proof: Proof,
    error: LinkError,
    /// Nobody asks what became of it until the host has decided.
    _flight: Flight,
}

impl Silence {
    /// What the server was asked with.
    #[must_use]
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// What came instead of an answer.
    #[must_use]
    pub const fn error(&self) -> &LinkError {
        &self.error
    }

    #[cfg(test)]
    pub(crate) fn for_tests(signed: SignedStatement) -> Self {
        let flight = crate::unsettled::Flights::default().begin(Digest::of(&signed.statement.0), None);
        let error = LinkError::Unreachable("connection refused".to_owned());
        Self { proof: Proof::Card(signed), error, _flight: flight }
    }
}

impl From<NoAnswer> for LinkError {
    fn from(none: NoAnswer) -> Self {
        match none {
            NoAnswer::Silence(silence) => silence.error,
            NoAnswer::Final(error) => error,
        }
    }
}

/// Has the instance carry a signed statement to the server, and proves what comes back: signed by the server,
/// to this very envelope, in the ledger under the pinned key, about this very statement, and saying the same.
///
/// An answer that comes after the wait was over changes nothing any more: the keeper finds out what it was, writes it
/// down, and tells the administrator of a "no".
///
/// # Errors
/// [`NoAnswer`].
pub fn ask(
    agent: &Arc<Agent>,
    link: &Arc<Link>,
    question: Question,
    wait: Wait<'_>,
) -> Result<Answer, NoAnswer> {
    let begun = Instant::now();
    let patience = Patience::until(begun + limits::SERVER_ANSWER);
    let patience = if wait.is_brief { patience.brief() } else { patience };
    let proof = question.proof.clone();
    // The server may have used the code up, and its answer lets in whoever still waits for it: there is no second one.
    let is_insistent = matches!(proof, Proof::Code(_)) && !wait.is_brief;
    let until = if is_insistent { wait.deadline } else { patience.deadline };
    let digest = Digest::of(proof.statement());
    let flight = agent.flights.begin(digest, Some(&agent.keeper));
    let silence = |error: LinkError| {
        NoAnswer::Silence(Silence { proof: proof.clone(), error, _flight: flight.clone() })
    };
    let ended = |error: LinkError| if error.is_silence() { silence(error) } else { NoAnswer::Final(error) };

    let (asker, link, sent) = (Arc::clone(agent), Arc::clone(link), flight.clone());
    let asking = Asking::begin(
        move |is_wanted| send(&asker, &link, question, sent, (patience, until), is_wanted),
        || (),
    );
    let asking = asking.map_err(NoAnswer::Final)?;
    let soon = begun + agent.wire.reach.patience(begun);
    let asking = match asking.wait(soon.min(wait.deadline)) {
        Ok(result) => return result.map_err(ended),
        Err(asking) => asking,
    };
    let asking = if wait.is_brief {
        asking
    } else {
        (wait.slow)();
        match asking.wait(until.min(wait.deadline)) {
            Ok(result) => return result.map_err(ended),
            Err(asking) => asking,
        }
    };
    if let Some(result) = asking.give_up() {
        return result.map_err(ended);
    }
    if begun.elapsed() >= limits::SERVER_PATIENCE {
        agent.wire.reach.waited_in_vain(Instant::now());
    }
    Err(silence(LinkError::Unreachable(format!("no answer within {:.1} s", begun.elapsed().as_secs_f32()))))
}

/// Before the same bytes are sent again.
const AGAIN: Duration = Duration::from_secs(1);

/// One exchange, to its proven end. If nothing comes back, the same bytes are sent again as long as there is time before
/// `until` and somebody waits: the server answers them once, and says it as often as it is asked.
fn send(
    agent: &Agent,
    link: &Link,
    question: Question,
    flight: Flight,
    (patience, until): (Patience, Instant),
    is_wanted: &dyn Fn() -> bool,
) -> Result<Answer, LinkError> {
    let Question { proof, body, correlation, uid } = question;
    let now = agent.wire.time.now();
    if link.session().is_none_or(|session| session.until() <= now) {
        // With keys that last the statement is sent, or it is not; without, nothing can be said at all.
        agent.keeper.freshen(patience.deadline).map_err(|error| match error {
            LinkError::Internal(why) => LinkError::Mute(why),
            other => other,
        })?;
    }
    let internal = |error: String| LinkError::Internal(error);
    let Statement { operation, resource, login, service, account, .. } =
        Statement::from_bytes(proof.statement()).map_err(|error| internal(error.to_string()))?;
    let statement = Digest::of(proof.statement());
    let means = agent.means(patience);
    let time = agent.wire.time.now();
    let sealed = match proof {
        Proof::Card(signed) => link.seal_at(means, time, &JobRequest { signed, body }, None),
        Proof::Code(coded) => link.seal_at(means, time, &coded, None),
    }?;
    let InReplyTo { id, digest } = sealed.in_reply_to();
    let job = SentJob {
        instance: Some(link.instance.fingerprint.clone()),
        id,
        digest,
        time,
        statement,
        operation,
        resource,
        login,
        service,
        account,
        correlation,
        uid,
    };
    // A full disk must not lock everybody out: then nobody finds out later, and the log says so.
    if let Err(error) = agent.journal.job_sent(&job) {
        agent.log.warn("journal-failed", &[("why", &error.to_string())]);
    }
    // Whoever gave up may have decided without the server by now: it must not be asked after that.
    if !is_wanted() {
        let _ = agent.journal.never_sent(&job.id);
        flight.settled();
        return Err(internal("nobody waits for it any more".to_owned()));
    }
    let mut reply = link.send(means, Answers::Fresh, &sealed);
    while reply.as_ref().is_err_and(LinkError::is_silence) && Instant::now() + AGAIN < until && is_wanted() {
        std::thread::sleep(AGAIN);
        let deadline = until.min(Instant::now() + limits::SERVER_ANSWER);
        reply = link.send(agent.means(Patience::until(deadline)), Answers::Kept, &sealed);
    }
    let reply = reply?;
    let answer = prove(link, &job, reply.body()?)?;
    Ok(Answer { request: Some((id, flight)), ..answer })
}

/// Proves that `reply` answers `job`: in the ledger under the pinned key, about this very message and statement, and
/// saying the same.
///
/// # Errors
/// [`LinkError::Untrusted`].
pub fn prove(link: &Link, job: &SentJob, reply: JobReply) -> Result<Answer, LinkError> {
    let asker = job.instance.as_ref().unwrap_or(&link.instance.fingerprint);
    let proven = link.prove(&reply.receipt)?;
    proven.answers(&job.id, Some(&job.statement))?;
    let entry = proven.entry();
    let recorded = match (reply.decision, reply.dry_run.is_some() || reply.waiting.is_some()) {
        (Decision::Allowed, false) => Outcome::Allowed,
        (Decision::Denied, false) => Outcome::Denied,
        // Nothing was done, whatever would or will come of it.
        (Decision::Denied, true) => Outcome::Noted,
        (Decision::Allowed, true) => {
            let what = "a request that was only tried, or that waits, is said to be done";
            return Err(LinkError::Untrusted(what.to_owned()));
        }
    };
    let would = reply.dry_run.map(Decision::as_str);
    for (same, what) in [
        (entry.decision == recorded, "decision"),
        (entry.detail.get(detail::DRY_RUN).map(String::as_str) == would, "outcome of a dry run"),
        (Waiting::of_entry(entry) == reply.waiting, "approval that is waited for"),
        (entry.correlation == reply.correlation, "correlation id"),
        (entry.instance.as_ref() == Some(asker), "instance"),
    ] {
        if !same {
            return Err(LinkError::Untrusted(format!("reply and ledger entry name another {what} each")));
        }
    }
    // What was allowed must be what was asked, in the ledger's own words.
    let asked = entry.operation.as_ref() == Some(&job.operation)
        && entry.resource.as_ref() == Some(&job.resource)
        && entry.account.as_ref() == Some(&job.account)
        && entry.login == job.login;
    if reply.decision == Decision::Allowed && !asked {
        return Err(LinkError::Untrusted("the ledger entry is about another request".to_owned()));
    }
    if reply.job.as_ref().is_some_and(|accepted| accepted.job != job.id) {
        return Err(LinkError::Untrusted("the job is named as another request".to_owned()));
    }
    Ok(Answer {
        allowed: reply.decision == Decision::Allowed,
        dry_run: reply.dry_run,
        waiting: reply.waiting.map(Box::new),
        reason: reply.reason,
        correlation: reply.correlation,
        ledger_index: proven.index(),
        statement: job.statement,
        result: reply.result.map(Box::new),
        job: reply.job.map(Box::new),
        request: None,
    })
}
