//! What the ledger says of a request whose reply was deleted.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{Fingerprint, MessageId};
use countersign_protocol::ledger::{Entry, EntryKind, Outcome, detail};
use countersign_protocol::limits;
use countersign_protocol::message::{Decision, JobAccepted, JobOutcome, JobReply, Waiting};

use crate::ledger::{Ledger, LedgerSnapshot, first_at};
use crate::stop::Failure;

/// Most entries looked at. On a server that writes more around that time the ledger must be searched by a person.
const MOST: u64 = 4096;

/// Entries asked of the store at once.
const STEP: u64 = 64;

/// The reply to `asked` by a host of these `names`, made again from its entry, if the ledger has it near that time. Entries lie in order of time,
/// unless the clock was set: then it may not be found.
pub(crate) fn recall(
    view: &dyn LedgerSnapshot,
    ledger: &Ledger,
    names: &[Fingerprint],
    asked: &JobOutcome,
) -> Result<Option<Box<JobReply>>, Failure> {
    // It was taken only if its time was near the server's.
    let (from, until) = (asked.time.plus(-limits::CLOCK_SKEW), asked.time.plus(limits::CLOCK_SKEW));
    let mut next = first_at(view, from)?;
    let end = next.saturating_add(MOST);
    while next < end {
        let step = view.entries(next, STEP)?;
        if step.is_empty() {
            return Ok(None);
        }
        for exported in step {
            let entry = read(&exported.entry.0)?;
            if entry.time > until {
                return Ok(None);
            }
            if is_about(&entry, names, &asked.id) {
                let receipt = ledger.recall(view, next)?.receipt().clone();
                let decision = match entry.decision {
                    Outcome::Allowed => Decision::Allowed,
                    Outcome::Denied | Outcome::Noted => Decision::Denied,
                };
                let until = entry.detail.get(detail::QUEUED_UNTIL).cloned();
                let until: Option<Timestamp> = until.and_then(|until| until.try_into().ok());
                let job = until.map(|expires| JobAccepted { job: asked.id, expires });
                let waiting = Waiting::of_entry(&entry);
                let (reason, correlation) = (entry.reason, entry.correlation);
                let dry_run = match entry.detail.get(detail::DRY_RUN).map(String::as_str) {
                    None => None,
                    Some(word) if word == Decision::Allowed.as_str() => Some(Decision::Allowed),
                    Some(_) => Some(Decision::Denied),
                };
                return Ok(Some(Box::new(JobReply {
                    decision,
                    reason,
                    correlation,
                    receipt,
                    dry_run,
                    job,
                    waiting,
                    result: None,
                })));
            }
            next += 1;
        }
    }
    Ok(None)
}

fn is_about(entry: &Entry, names: &[Fingerprint], message: &MessageId) -> bool {
    is_decision(entry)
        && entry.message.as_ref() == Some(message)
        && entry.instance.as_ref().is_some_and(|name| names.contains(name))
}

/// A request, or a login by an emergency code.
fn is_decision(entry: &Entry) -> bool {
    match entry.kind {
        EntryKind::Job => true,
        EntryKind::Alarm => entry.detail.contains_key(detail::EMERGENCY_CODE) && entry.operation.is_some(),
        _ => false,
    }
}

fn read(bytes: &[u8]) -> Result<Entry, Failure> {
    Entry::from_bytes(bytes).map_err(|error| Failure::Reply(error.to_string()))
}
