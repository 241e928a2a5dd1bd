//! What a handler hands back: what to record, and how to answer once it is recorded.

use countersign_protocol::envelope::Countersigned;
use countersign_protocol::ids::{ApplicationName, Digest};
use countersign_protocol::ledger::{Check, Entry, EntryKind, Outcome};
use countersign_protocol::message::result::Evidence;
use countersign_protocol::message::{Body, MessageKind, Receipt};

use crate::queue::Job;
use crate::replies::Recipient;
use crate::stop::{Failure, Stop};
use crate::store::Transaction;

/// The rest of a message's transaction.
#[must_use]
pub(crate) struct Draft {
    pub(crate) recipient: Recipient,
    pub(crate) transcript: Option<Digest>,
    pub(crate) record: Record,
    pub(crate) remember: Option<Remember>,
    /// Nothing that a host is told at its check-in can be another because of this.
    pub(crate) quiet: bool,
    /// The job that it became, if the API is to do it.
    pub(crate) queued: Option<Queued>,
    /// Another request that was done with this one: its entry follows.
    pub(crate) then: Option<Then>,
}

/// Another request that was done with this one.
pub(crate) struct Then {
    /// Its entry, once it is known where this one's stands.
    pub(crate) entry: Box<dyn FnOnce(u64) -> (Entry, Evidence)>,
    /// The job that it became, if the API is to do it.
    pub(crate) queued: Option<Queued>,
}

/// A job, and the request that it was, to be queued with the receipt of its entry.
pub(crate) type Queued = Box<(Countersigned, Job)>;

/// Something to store that depends on the reply's literal bytes: the next link of a handshake's chain.
pub(crate) type Remember = Box<dyn FnOnce(&dyn Transaction, &[u8]) -> Result<(), Stop>>;

/// The reply's body, once there is a receipt to put into it.
pub(crate) type WithReceipt = Box<dyn FnOnce(Receipt) -> Result<Answer, Failure>>;

pub(crate) enum Record {
    /// The reply carries the proof that this entry is in the ledger.
    Entry { entry: Box<Entry>, evidence: Option<Evidence>, answer: WithReceipt },
    /// Nothing was decided.
    Nothing(Answer),
}

/// A body that knows its type.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) kind: MessageKind,
    pub(crate) body: serde_json::Value,
}

impl Answer {
    /// From a typed body.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub(crate) fn of<B: Body>(body: &B) -> Result<Self, Failure> {
        let body = serde_json::to_value(body).map_err(|error| Failure::Reply(error.to_string()))?;
        Ok(Self { kind: B::KIND, body })
    }
}

impl Draft {
    /// Answers without an entry: nothing was decided that anyone would ask about.
    ///
    /// # Errors
    /// The body cannot be written as JSON.
    pub(crate) fn unrecorded<B: Body>(recipient: Recipient, body: &B) -> Result<Self, Failure> {
        let record = Record::Nothing(Answer::of(body)?);
        Ok(Self {
            recipient,
            transcript: None,
            record,
            remember: None,
            quiet: false,
            queued: None,
            then: None,
        })
    }

    /// Records `entry`, then answers with its receipt.
    pub(crate) fn recorded<B: Body>(
        recipient: Recipient,
        entry: Entry,
        evidence: Option<Evidence>,
        answer: impl FnOnce(Receipt) -> B + 'static,
    ) -> Self {
        let answer: WithReceipt = Box::new(move |receipt| Answer::of(&answer(receipt)));
        let record = Record::Entry { entry: Box::new(entry), evidence, answer };
        Self { recipient, transcript: None, record, remember: None, quiet: false, queued: None, then: None }
    }

    /// What every entry has that a handler did not say: the application of whoever sent the message, and what was checked
    /// of them. A denial ends in the check that failed.
    pub(crate) fn from(mut self, (application, checks): (ApplicationName, Vec<Check>)) -> Self {
        if let Record::Entry { entry, .. } = &mut self.record {
            entry.application.get_or_insert(application);
            if entry.checks.is_empty() {
                entry.checks = checks;
                if entry.decision == Outcome::Denied {
                    let failed = match entry.kind {
                        EntryKind::RegistrationTry => "code",
                        EntryKind::NeverHappened => "request-known",
                        _ => "accepted",
                    };
                    entry.checks.push(Check::failed(failed));
                }
            }
        }
        self
    }

    /// The chain that the reply carries.
    pub(crate) fn with_transcript(mut self, transcript: Digest) -> Self {
        self.transcript = Some(transcript);
        self
    }

    /// Nobody who watches need look again. Without this they do, in vain at worst.
    pub(crate) const fn quietly(mut self, quiet: bool) -> Self {
        self.quiet = quiet;
        self
    }

    /// The request becomes this job, if it becomes one.
    pub(crate) fn queueing(mut self, queued: Option<Queued>) -> Self {
        self.queued = queued;
        self
    }

    /// What else was done with it.
    pub(crate) fn then(mut self, then: Option<Then>) -> Self {
        self.then = then;
        self
    }

    /// What to store once the reply's bytes are known.
    pub(crate) fn remembering(
        mut self,
        remember: impl FnOnce(&dyn Transaction, &[u8]) -> Result<(), Stop> + 'static,
    ) -> Self {
        self.remember = Some(Box::new(remember));
        self
    }
}
