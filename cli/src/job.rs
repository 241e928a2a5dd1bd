//! A request that a person's card signs and the server decides.

use countersign_protocol::binary::Binary;
use countersign_protocol::ids::{CardIdent, CorrelationId, Operation, ResourceName};
use countersign_protocol::ipc::{self, DenyReason, JobBody, Reply, Request};
use countersign_protocol::limits;
use countersign_protocol::message::JobStanding;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::agent::{self, Answered};
use crate::args::{CardChoice, Global};
use crate::failure::{Failure, Kind, LocalKind};

/// What to ask of the server.
pub(crate) struct Job {
    request: ipc::Job,
    body: Option<Vec<u8>>,
}

/// A job that was allowed, and where it is written down.
pub(crate) struct Done<R> {
    pub(crate) result: R,
    pub(crate) recorded: Recorded,
}

/// Where a decision lies.
#[derive(Debug, Serialize)]
pub(crate) struct Recorded {
    pub(crate) ledger_index: u64,
    pub(crate) correlation: CorrelationId,
}

impl Job {
    /// `operation` on `collection/name`.
    pub(crate) fn new(
        operation: &str,
        collection: &str,
        name: &str,
        card: &CardChoice,
    ) -> Result<Self, Failure> {
        let resource = format!("{collection}/{name}");
        let wrong =
            |error: countersign_protocol::ids::InvalidId| Failure::usage(format!("{resource} is {error}"));
        let operation: Operation = operation.parse().map_err(wrong)?;
        let named: ResourceName = resource.parse().map_err(wrong)?;
        let card: Option<CardIdent> = card.card;
        let request =
            ipc::Job { operation, resource: named, body: None, card, dry_run: false, approves: None };
        Ok(Self { request, body: None })
    }

    /// The same with a body.
    pub(crate) fn with(mut self, body: &impl Serialize) -> Result<Self, Failure> {
        let json = serde_json::to_vec(body)
            .map_err(|error| Failure::usage(format!("the request cannot be written as JSON: {error}")))?;
        if json.len() > limits::JOB_BODY {
            return Err(Failure::usage(format!(
                "the request's body has {} bytes; at most {} are taken",
                json.len(),
                limits::JOB_BODY
            ))
            .then("Nothing was sent. Send less at once."));
        }
        self.body = Some(json);
        Ok(self)
    }

    /// The same as an approval of the request with this statement.
    pub(crate) fn approving(mut self, statement: Binary) -> Self {
        self.request.approves = Some(statement);
        self
    }

    /// What fits a frame goes in it, as it always did.
    fn ask(self, global: &Global) -> Result<Answered, Failure> {
        let Self { mut request, body } = self;
        match body {
            Some(body) if body.len() > limits::IN_A_FRAME => {
                request.body = Some(JobBody::Beside(u64::try_from(body.len()).unwrap_or(u64::MAX)));
                agent::ask_with(global, &Request::Job(request), &body)
            }
            body => {
                request.body = body.map(|body| JobBody::Here(Binary(body)));
                agent::ask(global, &Request::Job(request))
            }
        }
    }

    /// Has it signed and sent, and reads the result.
    ///
    /// # Errors
    /// Also when the server decided against it.
    pub(crate) fn run<R: DeserializeOwned>(mut self, global: &Global) -> Result<Done<R>, Failure> {
        self.request.dry_run = global.dry_run;
        self.look(global)
    }

    /// The same of what only looks, and is done even where what follows is only tried.
    ///
    /// # Errors
    /// Also when the server decided against it.
    pub(crate) fn look<R: DeserializeOwned>(self, global: &Global) -> Result<Done<R>, Failure> {
        finish(self.ask(global)?)
    }
}

/// What came of a request of before, by what its person was told to quote.
///
/// # Errors
/// Also when nothing came of it so far, or it could not be done.
pub(crate) fn result<R: DeserializeOwned>(
    global: &Global,
    correlation: &CorrelationId,
) -> Result<Done<R>, Failure> {
    let ask = ipc::JobResultAsk { correlation: correlation.clone() };
    finish(agent::ask(global, &Request::JobResult(ask))?)
}

fn finish<R: DeserializeOwned>(answered: Answered) -> Result<Done<R>, Failure> {
    let Reply::JobDone(done) = answered.reply else {
        return Err(agent::unexpected(&answered.reply));
    };
    if let Some(decision) = done.dry_run {
        let recorded = Recorded { ledger_index: done.ledger_index, correlation: done.correlation };
        return Err(Failure::tried(decision, done.reason, &recorded));
    }
    if let Some(waiting) = done.waiting {
        return Err(Failure {
            kind: Kind::Waits,
            message: done.reason,
            next: Some(format!(
                "  request     {}, until {}\n  recorded    entry {} of the ledger\nTo see what came of it: countersign job \
                 show {0}",
                waiting.request, waiting.deadline, done.ledger_index
            )),
            correlation: Some(waiting.request),
        });
    }
    if !done.allowed {
        return Err(Failure {
            kind: Kind::Denied(DenyReason::Policy),
            message: format!("denied: {}", done.reason),
            next: Some(format!("The decision is entry {} of the ledger.", done.ledger_index)),
            correlation: Some(done.correlation),
        });
    }
    let recorded = Recorded { ledger_index: done.ledger_index, correlation: done.correlation };
    if let Some(stood) = done.job.filter(|stood| stood.standing != JobStanding::Done) {
        let kind = match stood.standing {
            JobStanding::Queued => LocalKind::NotDoneYet,
            _ => LocalKind::NotDone,
        };
        return Err(Failure {
            correlation: Some(recorded.correlation),
            ..Failure::local(kind, format!("{}: {}", stood.standing.as_str(), stood.reason))
        });
    }
    match serde_json::from_slice(&answered.body.unwrap_or_default()) {
        Ok(result) => Ok(Done { result, recorded }),
        Err(error) => Err(Failure {
            correlation: Some(recorded.correlation),
            ..Failure::local(
                LocalKind::AgentProtocol,
                format!(
                    "it was done, as entry {} of the ledger, but its result cannot be read: {error}",
                    recorded.ledger_index
                ),
            )
            .then("Install agent, command line and server of one release.")
        }),
    }
}
