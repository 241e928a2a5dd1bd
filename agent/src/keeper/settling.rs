//! Asks the server what became of a request whose answer was lost.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use countersign_protocol::ids::MessageId;
use countersign_protocol::ledger::EntryKind;
use countersign_protocol::limits;
use countersign_protocol::message::{InstanceState, JobOutcome, JobOutcomeReply};

use super::check_in;
use crate::agent::Agent;
use crate::answer::{self, Answer};
use crate::journal::{JournalError, SentJob, Stage, Unsettled};
use crate::reach::Patience;
use crate::server_link::Link;
use crate::unsettled::{self, Outcome, Why};
use crate::wire::LinkError;

/// Requests that the server will tell nothing about. They are asked about again when the agent starts anew.
#[derive(Debug, Default)]
pub struct Untold(Mutex<HashSet<MessageId>>);

/// What the server told last and the journal could not take: it is not asked again.
#[derive(Debug, Default)]
pub struct Unwritten(Mutex<Option<(MessageId, Told)>>);

impl Unwritten {
    fn take(&self, id: &MessageId) -> Option<Told> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.take_if(|(of, _)| of == id).map(|(_, told)| told)
    }

    fn keep(&self, id: MessageId, told: Told) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, told));
    }
}

impl Untold {
    /// Whether this is one of them.
    #[must_use]
    pub fn has(&self, id: &MessageId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    fn all(&self) -> HashSet<MessageId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, id: MessageId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }
}

/// Settles the oldest open request; says whether there may be another.
pub(super) fn settle_oldest(agent: &Agent) -> Result<bool, LinkError> {
    let failed = |error: JournalError| LinkError::Internal(error.to_string());
    let Some(row) = unsettled::oldest(agent, &agent.untold.all()).map_err(failed)? else { return Ok(false) };
    if let Stage::HandingOver { ledger_index } = row.stage {
        let outcome = Outcome::MaybeHandedOver { ledger_index };
        unsettled::conclude(agent, &row, &outcome, Why::FoundOut).map_err(failed)?;
        return Ok(true);
    }
    if let Some(told) = agent.unwritten.take(&row.job.id) {
        return conclude(agent, &row, told);
    }
    let Some(link) = agent.link() else { return Ok(false) };
    // To the server that was another host, and a question about its requests looks like a theft.
    if row.job.instance.as_ref().is_some_and(|name| !link.instance.has_been(name)) {
        unsettled::conclude(agent, &row, &Outcome::NameLost, Why::FoundOut).map_err(failed)?;
        return Ok(true);
    }
    if link.session().is_none() {
        return Ok(false);
    }
    let may_ask = || {
        let state = agent.contacts.get().map(|contact| contact.state);
        matches!(state, Some(InstanceState::Active | InstanceState::Suspended))
    };
    // The server tells a host nothing that may not work; the next check-in says when it may.
    if !may_ask() {
        return Ok(false);
    }
    let told = match ask(agent, &link, &row.job) {
        Err(LinkError::Refused { clock_was_wrong, .. }) => {
            if clock_was_wrong.is_none() {
                check_in(agent, Patience::until(Instant::now() + limits::SERVER_ANSWER))?;
            }
            if !may_ask() {
                return Ok(false);
            }
            // The check-in may have given this host another key.
            let link = agent.link().ok_or(LinkError::NotEnrolled)?;
            ask(agent, &link, &row.job)
        }
        other => other,
    };
    match told {
        Ok(told) => conclude(agent, &row, told),
        // It is not the network's fault, and asking again would not help: it holds up no other.
        Err(error @ (LinkError::Refused { .. } | LinkError::Untrusted(_) | LinkError::Unproven(_))) => {
            agent.untold.add(row.job.id);
            let fields = [("correlation", row.job.correlation.as_str()), ("why", &error.to_string())];
            agent.log.warn("request-unsettled", &fields);
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// Writes down what the server told. What the journal cannot take – a full disk, for one – is tried again later.
fn conclude(agent: &Agent, row: &Unsettled, told: Told) -> Result<bool, LinkError> {
    let outcome = match &told {
        Told::Answered(answer) => Outcome::Answered(answer),
        Told::NeverHappened(ledger_index) => Outcome::NeverHappened { ledger_index: *ledger_index },
        Told::Forgotten => Outcome::Forgotten,
    };
    match unsettled::conclude(agent, row, &outcome, Why::FoundOut) {
        Ok(()) => Ok(true),
        Err(error) => {
            agent.unwritten.keep(row.job.id, told);
            Err(LinkError::Internal(error.to_string()))
        }
    }
}

#[derive(Debug)]
enum Told {
    Answered(Answer),
    NeverHappened(u64),
    Forgotten,
}

fn ask(agent: &Agent, link: &Link, job: &SentJob) -> Result<Told, LinkError> {
    let question = JobOutcome { id: job.id, digest: job.digest, time: job.time };
    let patience = Patience::until(Instant::now() + limits::SERVER_ANSWER);
    let exchange = link.ask_once(agent.means(patience), &question, None)?;
    match exchange.reply.body()? {
        JobOutcomeReply::Answered { reply } => answer::prove(link, job, *reply).map(Told::Answered),
        JobOutcomeReply::NeverHappened { receipt } => {
            let proven = link.prove(&receipt)?;
            // It may have been told before, and the answer lost: the entry is of that question then.
            let entry = proven.entry();
            let says = |what: &str, value: String| entry.detail.get(what) == Some(&value);
            let is_it = says("request", job.id.to_string()) && says("request-digest", job.digest.to_string());
            if entry.kind != EntryKind::NeverHappened || !is_it {
                return Err(LinkError::Untrusted("the ledger entry is about another request".to_owned()));
            }
            Ok(Told::NeverHappened(proven.index()))
        }
        JobOutcomeReply::Forgotten {} => Ok(Told::Forgotten),
    }
}
