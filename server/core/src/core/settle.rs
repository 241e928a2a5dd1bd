//! The end of a message's transaction: the entry, the stored reply, the commit.

use std::sync::Arc;

use countersign_protocol::certificate::{self, Pinned};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::Verified;
use countersign_protocol::ids::{Digest, Fingerprint, MessageId};
use countersign_protocol::limits;
use countersign_protocol::message::{InReplyTo, InstanceState, Message, MessageKind, Receipt, Version};

use super::Core;
use crate::draft::{Answer, Draft, Queued, Record, Then};
use crate::instances::{Instance, InstanceRead};
use crate::keys;
use crate::outgoing::Outgoing;
use crate::queue::QueuedJob;
use crate::refusal::Reason;
use crate::replies::{Recipient, StoredReply};
use crate::standing::Watched;
use crate::stop::{Failure, Stop};
use crate::store::Transaction;

/// Room for the OpenPGP layers around a reply.
const LAYERS: usize = 64 * 1024;

impl Core {
    /// Records, stores the reply, commits. Only then is there something to send. `asked` is the host that sent a request, as
    /// this transaction read it: where the request changed nothing, it is so still.
    pub(super) fn settle(
        &self,
        mut tx: Box<dyn Transaction + '_>,
        request: &Verified,
        draft: Draft,
        mut watched: Watched,
        asked: Option<Arc<Pinned>>,
        now: Timestamp,
    ) -> Result<Outgoing, Stop> {
        let Draft { recipient, transcript, record, remember, quiet, queued, then } = draft;
        let queues = queued.is_some() || then.as_ref().is_some_and(|then| then.queued.is_some());
        let ledger = self.ledger();
        let (answer, pending, sealed) = match record {
            Record::Entry { mut entry, evidence, answer } => {
                // What another request changed, its own entry says.
                if then.is_none() {
                    watched.note(&*tx, &mut entry)?;
                }
                let appended = ledger.append(&mut *tx, &entry, evidence.as_ref())?;
                let follows = match then {
                    Some(Then { entry, queued }) => {
                        let (mut entry, evidence) = entry(appended.index());
                        watched.note(&*tx, &mut entry)?;
                        Some((ledger.append(&mut *tx, &entry, Some(&evidence))?, queued))
                    }
                    None => None,
                };
                let last = follows.as_ref().map_or(&appended, |(last, _)| last);
                let sealed = ledger.seal_behind(&mut *tx, last)?;
                let pending = ledger.receipt(&*tx, appended, &sealed)?;
                if let Some(queued) = queued {
                    queue(&*tx, queued, pending.receipt())?;
                }
                if let Some((last, Some(queued))) = follows {
                    queue(&*tx, queued, ledger.receipt(&*tx, last, &sealed)?.receipt())?;
                }
                (answer(pending.receipt().clone())?, Some(pending), sealed)
            }
            Record::Nothing(answer) => (answer, None, ledger.seal(&mut *tx)?),
        };
        // What cannot be sent must not happen: both are found out before the commit.
        let cert = match asked {
            Some(cert) if quiet && recipient == Recipient::Instance(cert.fingerprint().clone()) => {
                receiving(cert, now)?
            }
            _ => self.current(&*tx, &recipient, now)?,
        };
        let message = self.reply(request.in_reply_to(), answer, transcript, &cert, now)?;
        let literal = message.to_bytes().map_err(|error| Failure::Reply(error.to_string()))?;
        if literal.len() > limits::ENVELOPE - LAYERS {
            return Err(Reason::ReplyTooLarge(literal.len()).into());
        }
        if let Some(remember) = remember {
            remember(&*tx, &literal)?;
        }
        let InReplyTo { id, digest } = request.in_reply_to();
        let at_rest = self
            .parts
            .store_key
            .seal(id, digest, &literal)
            .map_err(|error| Failure::Reply(error.to_string()))?;
        let passing = request.kind() == MessageKind::InstanceCheckIn;
        tx.put_reply(&StoredReply { id, digest, recipient, sealed: at_rest, passing, never: None }, now)?;
        if !quiet {
            tx.announce()?;
        }

        let proof =
            sealed.commit(|| tx.commit().map_err(|error| crate::ledger::StorageFailure(error.into())))?;
        if !quiet {
            self.changes.tell();
        }
        if queues {
            self.queue.tell();
        }
        Ok(match pending {
            Some(pending) => Outgoing::recorded(message, cert, &pending.committed(&proof)?),
            None => Outgoing::committed(message, cert, &proof),
        })
    }

    pub(crate) fn reply(
        &self,
        request: InReplyTo,
        answer: Answer,
        transcript: Option<Digest>,
        recipient: &Pinned,
        now: Timestamp,
    ) -> Result<Message, Stop> {
        Ok(Message {
            v: Version,
            kind: answer.kind,
            id: MessageId::new(self.random())?,
            time: now,
            audience: recipient.fingerprint().clone(),
            transcript,
            in_reply_to: Some(request),
            body: answer.body,
        })
    }

    /// The stored reply, sealed to whatever key the sender has by now.
    pub(super) fn again(
        &self,
        tx: &dyn Transaction,
        stored: &StoredReply,
        now: Timestamp,
    ) -> Result<Outgoing, Stop> {
        let message = self.read_back(stored)?;
        let cert = self.current(tx, &stored.recipient, now)?;
        Ok(Outgoing::read_back(message, cert))
    }

    /// The certificate to seal to, as it is in this transaction. A revoked instance is told nothing any more.
    pub(crate) fn current<R: InstanceRead + ?Sized>(
        &self,
        store: &R,
        recipient: &Recipient,
        now: Timestamp,
    ) -> Result<Arc<Pinned>, Stop> {
        let pinned = match recipient {
            // Made for one message: kept, such keys would push out those of hosts.
            Recipient::Ephemeral(bytes) => {
                certificate::parse(bytes).and_then(|cert| Pinned::of(&cert, now)).map(Arc::new)
            }
            Recipient::Instance(fingerprint) => {
                self.pins().sender(&instance(store, fingerprint)?.certificate, now)
            }
        };
        receiving(pinned.map_err(|error| Failure::Reply(error.to_string()))?, now)
    }

    /// The stored reply itself.
    pub(crate) fn read_back(&self, stored: &StoredReply) -> Result<Message, Failure> {
        let unreadable = |error: String| Failure::Reply(error);
        let literal = self
            .parts
            .store_key
            .open(stored.id, stored.digest, &stored.sealed)
            .map_err(|error| unreadable(error.to_string()))?;
        Message::from_bytes(&literal).map_err(|error| unreadable(error.to_string()))
    }
}

/// With the proof that it was accepted.
fn queue(tx: &dyn Transaction, queued: Queued, receipt: &Receipt) -> Result<(), Stop> {
    let (request, job) = *queued;
    tx.queue_job(&QueuedJob { job, request, receipt: receipt.clone() })?;
    Ok(())
}

fn receiving(pinned: Arc<Pinned>, now: Timestamp) -> Result<Arc<Pinned>, Stop> {
    if pinned.receives(now) { Ok(pinned) } else { Err(keys::receives_nothing().into()) }
}

fn instance<R: InstanceRead + ?Sized>(store: &R, fingerprint: &Fingerprint) -> Result<Instance, Stop> {
    let found = store.instance(fingerprint)?.ok_or(Reason::UnknownSender)?;
    if found.state == InstanceState::Revoked {
        return Err(Reason::InstanceRevoked.into());
    }
    Ok(found)
}
