//! Nothing stays unknown: what became of requests whose answer this host did not get, or could not act upon.
//!
//! ```text
//! job_sent ─▶ sent ─▶ answered ─▶ entry in the journal, row gone
//!              │          └─▶ allowed login: handing over ─▶ told ─▶ row gone
//!              └─▶ no answer ─▶ … ─▶ the keeper asks the server ─▶ entry in the journal, row gone
//! ```
//!
//! While a request is under way, or its answer acted upon, a [`Flight`] keeps the keeper away from it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{CorrelationId, Digest, MessageId};
use countersign_protocol::message::{HostEvent, HostEventKind};
use serde::Serialize;

use crate::agent::Agent;
use crate::answer::Answer;
use crate::journal::{JournalError, SentJob, Stage, Unsettled};
use crate::keeper::Keeper;

/// The statements under way.
#[derive(Debug, Clone, Default)]
pub struct Flights {
    statements: Arc<Mutex<HashSet<Digest>>>,
}

/// A statement under way. The keeper leaves it alone until the last clone is gone.
#[derive(Debug, Clone)]
pub struct Flight(Arc<Landing>);

#[derive(Debug)]
struct Landing {
    statement: Digest,
    flights: Flights,
    /// Told when it is over and not settled.
    keeper: Option<Keeper>,
    settled: AtomicBool,
}

impl Flights {
    /// From before a statement is sent until its answer was acted upon.
    #[must_use]
    pub fn begin(&self, statement: Digest, keeper: Option<&Keeper>) -> Flight {
        self.lock().insert(statement);
        let landing = Landing {
            statement,
            flights: self.clone(),
            keeper: keeper.cloned(),
            settled: AtomicBool::new(false),
        };
        Flight(Arc::new(landing))
    }

    /// Whether it is under way.
    #[must_use]
    pub fn has(&self, statement: &Digest) -> bool {
        self.lock().contains(statement)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// There is nothing left to find out about it.
    pub fn settled(&self) {
        self.0.settled.store(true, Ordering::SeqCst);
    }
}

impl PartialEq for Flight {
    fn eq(&self, other: &Self) -> bool {
        self.0.statement == other.0.statement
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.statement);
        if let Some(keeper) = self.keeper.as_ref().filter(|_| !*self.settled.get_mut()) {
            keeper.look();
        }
    }
}

/// An allowed login whose program is about to be told.
#[must_use = "whether the program was told decides what the journal says"]
pub struct Handover {
    answer: Answer,
}

impl Agent {
    /// Writes down what was decided, and that nothing is open about it any more.
    pub fn settle(&self, answer: &Answer, entry: &impl Serialize) {
        let Some((id, flight)) = answer.request() else { return self.note(entry) };
        let written = self.journal.settle(id, self.wire.time.now(), entry, None);
        self.written(written, flight);
    }

    /// Writes down that a login was allowed, before its program is told.
    pub fn hand_over(&self, answer: Answer, entry: &impl Serialize) -> Option<Handover> {
        let Some((id, flight)) = answer.request() else {
            self.note(entry);
            return None;
        };
        let written = self.journal.hand_over(id, answer.ledger_index(), self.wire.time.now(), entry);
        self.written(written, flight);
        Some(Handover { answer })
    }

    /// The program was told, or was not there any more.
    pub fn handed_over(&self, handover: &Handover, is_told: bool) {
        let Some((id, flight)) = handover.answer.request() else { return };
        if is_told {
            let written = self.journal.handed_over(id);
            return self.written(written, flight);
        }
        let found = self.journal.unsettled().unwrap_or_default();
        if let Some(row) = found.into_iter().find(|row| row.job.id == *id) {
            let outcome = Outcome::Answered(&handover.answer);
            if let Err(error) = conclude(self, &row, &outcome, Why::ProgramGone) {
                // The row stays: the keeper concludes it when there is room again.
                self.log.warn("journal-failed", &[("why", &error.to_string())]);
            }
        }
    }

    /// The journal has it, or the log says that it has not. Either way the server need not be asked.
    fn written(&self, written: Result<(), JournalError>, flight: &Flight) {
        flight.settled();
        if let Err(error) = written {
            self.log.warn("journal-failed", &[("why", &error.to_string())]);
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// The server decided it.
    Answered(&'a Answer),
    /// The login was allowed; whether its program heard of it is not known.
    MaybeHandedOver {
        /// Where the decision lies in the ledger.
        ledger_index: u64,
    },
    /// It never came, and will not be taken any more.
    NeverHappened {
        /// Where the ledger says so.
        ledger_index: u64,
    },
    /// Too long ago for the server to tell, and to happen.
    Forgotten,
    /// It was sent under a name that is not this host's any more: the server tells nobody.
    NameLost,
}

/// Why an allowed login may have opened nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The program that asked was gone before the answer.
    ProgramGone,
    /// The answer was found out later.
    FoundOut,
}

/// What the journal keeps.
#[derive(Serialize)]
struct Settled<'a> {
    event: &'static str,
    outcome: &'static str,
    #[serde(flatten)]
    job: About<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger_correlation: Option<&'a CorrelationId>,
    told: &'a str,
}

#[derive(Serialize)]
struct About<'a> {
    correlation: &'a CorrelationId,
    operation: &'a str,
    resource: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    account: &'a str,
    uid: u32,
    statement: Digest,
    sent: Timestamp,
}

/// Writes down what became of a request, reports a login that was allowed and not opened, and forgets the row.
///
/// # Errors
/// The journal's; the request stays open then, and the log says nothing yet.
pub fn conclude(agent: &Agent, row: &Unsettled, outcome: &Outcome<'_>, why: Why) -> Result<(), JournalError> {
    let (job, stage) = (&row.job, row.stage);
    let (word, ledger_index, ledger_correlation) = match outcome {
        Outcome::Answered(answer) => {
            let word = match (answer.is_allowed(), answer.waiting()) {
                (true, _) => "allowed",
                (false, Some(_)) => "waiting",
                (false, None) => "denied",
            };
            (word, Some(answer.ledger_index()), Some(answer.correlation()))
        }
        Outcome::MaybeHandedOver { ledger_index } => ("allowed", Some(*ledger_index), None),
        Outcome::NeverHappened { ledger_index } => ("never-happened", Some(*ledger_index), None),
        Outcome::Forgotten | Outcome::NameLost => ("forgotten", None, None),
    };
    let told = told(job, stage, outcome, why);
    let entry = Settled {
        event: "request-settled",
        outcome: word,
        job: About {
            correlation: &job.correlation,
            operation: job.operation.as_str(),
            resource: job.resource.as_str(),
            login: job.login.as_ref().map(|login| login.as_str()),
            service: job.service.as_ref().map(|service| service.as_str()),
            account: job.account.as_str(),
            uid: job.uid,
            statement: job.statement,
            sent: job.time,
        },
        ledger_index,
        ledger_correlation,
        told: &told,
    };
    let at = agent.wire.time.now();
    let unopened = job.is_login() && word == "allowed" && stage != Stage::DecidedHere;
    let event = unopened.then(|| HostEvent {
        event: HostEventKind::NeverOpened,
        at,
        correlation: job.correlation.clone(),
        login: job.login.clone(),
        account: Some(job.account.clone()),
        service: job.service.clone(),
        card: None,
        told: told.clone(),
    });
    agent.journal.settle(&job.id, at, &entry, event.as_ref())?;
    let ledger = ledger_index.map(|index| index.to_string()).unwrap_or_default();
    let fields = [
        ("correlation", job.correlation.as_str()),
        ("request", &format!("{} {}", job.operation, job.resource)),
        ("account", job.account.as_str()),
        ("outcome", word),
        ("ledger", &ledger),
        ("told", &told),
    ];
    // Somebody may be in whom the server would have kept out.
    let is_against_us = stage == Stage::DecidedHere && word == "denied";
    if unopened || is_against_us {
        agent.log.warn("request-settled", &fields);
    } else {
        agent.log.notice("request-settled", &fields);
    }
    Ok(())
}

/// One sentence for the journal, the log, and where it matters the ledger.
fn told(job: &SentJob, stage: Stage, outcome: &Outcome<'_>, why: Why) -> String {
    let allowed = |index: u64| match (job.is_login(), stage, why) {
        (false, _, _) => format!("It was allowed and done (ledger {index})."),
        (true, Stage::DecidedHere, _) => {
            format!("The server allowed it too (ledger {index}), after this host had decided by itself.")
        }
        (true, Stage::HandingOver { .. }, Why::FoundOut) => format!(
            "The login was allowed (ledger {index}); the agent ended while it told the program, so whether a session was opened is not known."
        ),
        (true, _, Why::ProgramGone) => {
            format!(
                "The login was allowed (ledger {index}), but the program that asked was gone: no session was opened."
            )
        }
        (true, Stage::Sent, Why::FoundOut) => format!(
            "The login was allowed (ledger {index}), but its answer did not come in time: this host opened no session for it."
        ),
    };
    match outcome {
        Outcome::Answered(answer) if answer.is_allowed() => allowed(answer.ledger_index()),
        Outcome::Answered(answer) if answer.waiting().is_some() => {
            format!("It is not done so far (ledger {}): {}", answer.ledger_index(), answer.reason())
        }
        Outcome::Answered(answer) => {
            format!("It was denied (ledger {}): {}", answer.ledger_index(), answer.reason())
        }
        Outcome::MaybeHandedOver { ledger_index } => allowed(*ledger_index),
        Outcome::NeverHappened { .. } => {
            "It never reached the server, and is refused from now on.".to_owned()
        }
        Outcome::NameLost => format!(
            "This host's key was replaced since, and the server tells the new one nothing about it. If it was decided, the ledger has the statement {}.",
            job.statement
        ),
        Outcome::Forgotten => format!(
            "It is too long ago for the server to tell, and too old to happen now. If it was decided, the ledger has the statement {}.",
            job.statement
        ),
    }
}

/// The oldest request that is open and not under way, but for those that `except` names.
///
/// # Errors
/// The journal's.
pub fn oldest(agent: &Agent, except: &HashSet<MessageId>) -> Result<Option<Unsettled>, JournalError> {
    let rows = agent.journal.unsettled()?;
    let is_open = |row: &Unsettled| !agent.flights.has(&row.job.statement) && !except.contains(&row.job.id);
    Ok(rows.into_iter().find(is_open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_under_way_until_the_last_who_holds_it_lets_go() {
        let flights = Flights::default();
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let flight = flights.begin(one, None);
        let clone = flight.clone();
        drop(flight);
        assert!(flights.has(&one) && !flights.has(&other));
        drop(clone);
        assert!(!flights.has(&one));
    }
}
