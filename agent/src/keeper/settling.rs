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
use crate::journal::{SentJob, Stage};
use crate::reach::Patience;
use crate::server_link::Link;
use crate::unsettled::{self, Outcome, Why};
use crate::wire::LinkError;

/// Requests that the server will tell nothing about. They are asked about again when the agent starts anew.
#[derive(Debug, Default)]
pub struct Untold(Mutex<HashSet<MessageId>>);

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
    let failed = |error: crate::journal::JournalError| LinkError::Internal(error.to_string());
    let Some(row) = unsettled::oldest(agent, &agent.untold.all()).map_err(failed)? else { return Ok(false) };
    if let Stage::HandingOver { ledger_index } = row.stage {
        unsettled::conclude(agent, &row, &Outcome::MaybeHandedOver { ledger_index }, Why::FoundOut);
        return Ok(true);
    }
    let Some(link) = agent.link().filter(|link| link.session().is_some()) else { return Ok(false) };
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
        Ok(told) => {
            let outcome = match &told {
                Told::Answered(answer) => Outcome::Answered(answer),
                Told::NeverHappened(ledger_index) => Outcome::NeverHappened { ledger_index: *ledger_index },
                Told::Forgotten => Outcome::Forgotten,
            };
            unsettled::conclude(agent, &row, &outcome, Why::FoundOut);
            Ok(true)
        }
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
            proven.answers(&exchange.sealed.id(), None)?;
            let entry = proven.entry();
            let is_it = entry.detail.get("request").is_some_and(|id| *id == job.id.to_string());
            if entry.kind != EntryKind::NeverHappened || !is_it {
                return Err(LinkError::Untrusted("the ledger entry is about another request".to_owned()));
            }
            Ok(Told::NeverHappened(proven.index()))
        }
        JobOutcomeReply::Forgotten {} => Ok(Told::Forgotten),
    }
}
