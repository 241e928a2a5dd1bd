//! What came of a request that was accepted: waited for, fetched once, opened with the card.
//!
//! The server serves a result to one fetch (W17). A fetch whose answer is lost is therefore sent again, the same bytes; and once
//! the result is here, the server is told, so that nobody else can have it. What cannot be opened at once is kept for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_protocol::envelope::Sealed;
use countersign_protocol::ids::{CorrelationId, MessageId};
use countersign_protocol::ipc::{JobStood, NoteKind, ProblemKind};
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::limits;
use countersign_protocol::message::{
    JobResultReply, JobResultRequest, JobStanding, ResultAck, ResultAckReply,
};

use crate::agent::Agent;
use crate::card::{Asker, KeptPin};
use crate::person::{Gone, Person};
use crate::reach::Patience;
use crate::sealed_result;
use crate::server_link::Link;
use crate::server_time::Answers;
use crate::trouble::Trouble;
use crate::wire::LinkError;

/// How long a job is waited for. Whoever wants to know later asks later.
const RESULT_WAIT: Duration = Duration::from_secs(60);

/// Before the first look, and between two later ones: a job takes some milliseconds, or somebody is in its way.
const FIRST: Duration = Duration::from_millis(30);
const LONGEST: Duration = Duration::from_secs(1);

/// How long nothing is said.
const SOON: Duration = Duration::from_secs(2);

/// Before the same bytes are sent again.
const AGAIN: Duration = Duration::from_secs(1);

/// Somebody who waits.
pub(super) struct Waiter<'a> {
    pub(super) agent: &'a Arc<Agent>,
    pub(super) link: &'a Arc<Link>,
    pub(super) asker: &'a Asker,
    /// The PIN of the job's signature, if it was just made.
    pub(super) kept: &'a KeptPin,
    /// What the person is told to quote.
    pub(super) correlation: &'a CorrelationId,
}

/// How a job stands, and the JSON that it yields, if this is where it is served.
pub(super) struct Served {
    pub(super) stood: JobStood,
    pub(super) result: Option<Vec<u8>>,
}

impl Waiter<'_> {
    /// Waits until something came of the job, or for [`RESULT_WAIT`], or until nobody waits any more.
    pub(super) fn wait(&self, job: MessageId, person: &mut Person) -> Result<Served, Trouble> {
        let begun = Instant::now();
        if let Some(reply) = self.agent.unopened.of(&job, begun) {
            return self.open(reply, person);
        }
        let until = person.deadline().min(begun + RESULT_WAIT);
        let (mut pause, mut silent) = (FIRST, true);
        loop {
            let (sealed, reply) = self.fetch(job, until)?;
            if reply.receipt.is_some() {
                self.agent.unopened.keep(Instant::now(), &reply);
                self.acknowledge(job, sealed.id());
            }
            if reply.standing != JobStanding::Queued || Instant::now() + pause >= until {
                return self.open(reply, person);
            }
            if person.is_gone() {
                return Err(Gone::Cancelled.into());
            }
            if silent && begun.elapsed() >= SOON {
                silent = false;
                person.note(NoteKind::Info, &self.later("It was accepted, and is waited for."));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// The same fetch is one message, however often it is sent.
    fn fetch(&self, job: MessageId, until: Instant) -> Result<(Sealed, JobResultReply), Trouble> {
        let patience = || Patience::until(until.min(Instant::now() + limits::SERVER_ANSWER));
        let sealed = self.link.seal(self.agent.means(patience()), &JobResultRequest { job }, None)?;
        let mut reply = self.link.send(self.agent.means(patience()), Answers::Fresh, &sealed);
        while reply.as_ref().is_err_and(LinkError::is_silence) && Instant::now() + AGAIN < until {
            std::thread::sleep(AGAIN);
            reply = self.link.send(self.agent.means(patience()), Answers::Kept, &sealed);
        }
        let reply: JobResultReply =
            reply.and_then(|reply| Ok(reply.body()?)).map_err(|error| self.unanswered(error))?;
        self.prove(job, &sealed, &reply)?;
        Ok((sealed, reply))
    }

    /// What was served is in the ledger as served, by this very fetch.
    fn prove(&self, job: MessageId, sealed: &Sealed, reply: &JobResultReply) -> Result<(), LinkError> {
        if reply.job != job {
            return Err(LinkError::Untrusted("the answer is about another job".to_owned()));
        }
        let is_served = matches!(reply.standing, JobStanding::Done | JobStanding::Failed);
        match &reply.receipt {
            None if !is_served && reply.result.is_none() && reply.sealed.is_none() => Ok(()),
            None => Err(LinkError::Untrusted("a result comes without proof".to_owned())),
            Some(receipt) => {
                let proven = self.link.prove(receipt)?;
                proven.answers(&sealed.id(), None)?;
                let entry = proven.entry();
                let is_it = entry.kind == EntryKind::JobResult
                    && entry.decision == Outcome::Allowed
                    && entry.detail.get("job") == Some(&job.to_string());
                match is_it && is_served {
                    true => Ok(()),
                    false => Err(LinkError::Untrusted("the ledger entry is about another result".to_owned())),
                }
            }
        }
    }

    /// Opens what is sealed.
    fn open(&self, reply: JobResultReply, person: &mut Person) -> Result<Served, Trouble> {
        let JobResultReply { job, standing, reason, result, sealed, receipt: _ } = reply;
        let result = match (result, sealed) {
            (Some(result), _) => Some(serde_json::to_vec(&result).map_err(|error| {
                Trouble::new(ProblemKind::Internal, format!("the result cannot be written: {error}."))
            })?),
            (None, Some(sealed)) => {
                let opened = sealed_result::open(self.agent, self.asker, &sealed.0, self.kept, person);
                let mut opened = opened.map_err(|trouble| self.unopened(trouble))?;
                Some(std::mem::take(&mut *opened))
            }
            (None, None) => None,
        };
        self.agent.unopened.forget(&job);
        let reason = match standing {
            JobStanding::Queued => self.later(&reason),
            _ => reason,
        };
        Ok(Served { stood: JobStood { job, standing, reason }, result })
    }

    /// Should it not arrive, the lease ends by itself.
    fn acknowledge(&self, job: MessageId, fetch: MessageId) {
        let patience = Patience::until(Instant::now() + limits::SERVER_ANSWER);
        let told = self.link.ask(self.agent.means(patience), &ResultAck { job, fetch }, None);
        let told = told.and_then(|exchange| {
            let ResultAckReply {} = exchange.reply.body()?;
            Ok(())
        });
        if let Err(error) = told {
            let fields = [("correlation", self.correlation.as_str()), ("why", &error.to_string() as &str)];
            self.agent.log.warn("result-unacknowledged", &fields);
        }
    }

    fn later(&self, said: &str) -> String {
        format!("{said} To see later what came of it: countersign job result {}", self.correlation)
    }

    fn unopened(&self, trouble: Trouble) -> Trouble {
        let message = format!(
            "{} It was done; this host keeps what came of it for some minutes: countersign job result {}",
            trouble.message, self.correlation
        );
        Trouble { message, ..trouble.known_as(self.correlation.clone()) }
    }

    fn unanswered(&self, error: LinkError) -> Trouble {
        let is_silence = error.is_silence();
        let trouble = Trouble::from(error).known_as(self.correlation.clone());
        match is_silence {
            true => Trouble {
                message: format!(
                    "The request was accepted, but what came of it is not known. {}",
                    self.later(&trouble.message)
                ),
                ..trouble
            },
            false => trouble,
        }
    }
}
