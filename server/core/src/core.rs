//! The one pipeline that every message goes through.
//!
//! ```text
//! Opened ─▶ BEGIN ─▶ seen before? ─▶ who, in what state, may they? ─▶ handler ─▶ ledger entry ─▶ stored reply
//!        ─▶ COMMIT ─▶ Outgoing
//! ```
//!
//! Cryptography on what came in is done before the transaction, and on what goes out after it.

mod refuse;

pub(crate) use refuse::About;

use std::sync::Arc;
use std::time::Instant;

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::{Clock, Timestamp};
use countersign_protocol::envelope::{OpenError, Opened, Seen, Verified};
use countersign_protocol::ids::{CorrelationId, Digest, Fingerprint, MessageId};
use countersign_protocol::limits;
use countersign_protocol::message::{InReplyTo, InstanceState, Message, MessageKind, Refusal, Version};
use countersign_protocol::random::Random;

use crate::changes::Changes;
use crate::context::Context;
use crate::draft::{Answer, Draft, Record};
use crate::enrolment;
use crate::forgetting::{self, Steady};
use crate::host_event;
use crate::identity::Identity;
use crate::instances::{Instance, InstanceRead};
use crate::job_outcome;
use crate::jobs;
use crate::keys;
use crate::ledger::Ledger;
use crate::offline_use;
use crate::outgoing::Outgoing;
use crate::policy::PolicySet;
use crate::prepared::Prepared;
use crate::refusal::{Meter, Reason};
use crate::registration;
use crate::replies::{Recipient, StoredReply};
use crate::roster::OfflineRules;
use crate::rotation;
use crate::secrets::{Pepper, StoreKey};
use crate::sender::Sender;
use crate::stop::{Failure, Stop};
use crate::store::{Store, Transaction, View};
use crate::watch::{Watches, Watching};

/// Room for the OpenPGP layers around a reply.
const LAYERS: usize = 64 * 1024;

/// Everything the core is made of.
pub struct Parts {
    /// Where state lives.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The server's OpenPGP key.
    pub identity: Identity,
    /// The key under the digests of codes.
    pub pepper: Pepper,
    /// The key that seals replies at rest.
    pub store_key: StoreKey,
    /// The log's writer.
    pub ledger: Ledger,
    /// What is allowed.
    pub policy: PolicySet,
    /// What hosts may do without us.
    pub offline: OfflineRules,
}

/// What a door may call.
pub struct Core {
    parts: Parts,
    refusals: Meter,
    steady: Steady,
    began: Instant,
    watches: Watches,
    changes: Changes,
}

/// What becomes of a message.
#[derive(Debug)]
#[must_use]
pub enum Taken {
    /// It is answered.
    Answered(Settled),
    /// It is answered as soon as there is something to tell.
    Watch(Box<Watching>),
}

/// How a message is answered.
#[derive(Debug)]
#[must_use]
pub enum Settled {
    /// With a reply.
    Reply {
        /// To be sealed and sent.
        reply: Box<Outgoing>,
        /// For the log line.
        correlation: CorrelationId,
        /// The same message came before.
        again: bool,
        /// An active instance sent it.
        active: bool,
    },
    /// With one "no".
    Refused {
        /// To be signed and sent.
        refusal: Refusal,
        /// For the log line, never for the sender.
        reason: Reason,
    },
}

impl Core {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            refusals: Meter::default(),
            steady: Steady::default(),
            began: Instant::now(),
            watches: Watches::default(),
            changes: Changes::default(),
        }
    }

    /// The time now, as the core sees it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// The server's key.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.parts.identity
    }

    /// Committed state, for finding out who may have signed.
    ///
    /// # Errors
    /// The store's.
    pub fn view(&self) -> Result<Box<dyn View + '_>, Failure> {
        Ok(self.parts.store.view()?)
    }

    /// Acts on a message, once.
    ///
    /// # Errors
    /// [`Failure`]: nothing happened, and the sender may send the same bytes again.
    pub fn take(&self, opened: Opened) -> Result<Taken, Failure> {
        let now = self.now();
        let correlation = CorrelationId::new(self.random())?;
        let (id, digest, signers) = (opened.message().id, opened.wire_digest(), opened.signers().to_vec());
        let taken = match opened.message().kind {
            MessageKind::Watch => self.take_watch(opened, now, correlation.clone()).map(Taken::Watch),
            _ => self.act(opened, now, &correlation).map(Taken::Answered),
        };
        match taken {
            Ok(taken) => Ok(taken),
            Err(Stop::Refused(reason)) => {
                let about = About { digest, message: Some(id), signers };
                self.refuse_about(reason, &about, now, correlation).map(Taken::Answered)
            }
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    fn act(&self, opened: Opened, now: Timestamp, correlation: &CorrelationId) -> Result<Settled, Stop> {
        let settled = |reply: Outgoing, again: bool, active: bool| {
            let (reply, correlation) = (Box::new(reply), correlation.clone());
            Settled::Reply { reply, correlation, again, active }
        };
        let prepared = Prepared::of(self, &opened, now)?;
        let mut tx = self.parts.store.begin()?;
        forgetting::remembers(&*tx, now)?;
        let stored = tx.reply(&opened.message().id)?;
        let seen = match &stored {
            None => Seen::Never,
            Some(stored) if stored.digest == opened.digest() && stored.sealed.is_empty() => {
                return Err(Reason::Envelope(OpenError::Replay).into());
            }
            Some(stored) if stored.digest == opened.digest() => Seen::SameBytes,
            Some(_) => Seen::OtherBytes,
        };
        if let (Seen::SameBytes, Some(stored)) = (seen, &stored) {
            return Ok(settled(self.again(&*tx, stored, now)?, true, false));
        }
        let verified = opened.admit(seen).map_err(Reason::from)?;
        let sender = Sender::of(&*tx, verified.signers())?;
        sender.may_send(verified.kind())?;
        let active = sender.is_active_instance();
        let draft = {
            let mut context = Context::new(self, &verified, &mut *tx, now, correlation.clone());
            dispatch(&mut context, sender, prepared)?
        };
        Ok(settled(self.settle(tx, &verified, draft, now)?, false, active))
    }

    /// Records, stores the reply, commits. Only then is there something to send.
    fn settle(
        &self,
        mut tx: Box<dyn Transaction + '_>,
        request: &Verified,
        draft: Draft,
        now: Timestamp,
    ) -> Result<Outgoing, Stop> {
        let Draft { recipient, transcript, record, remember, quiet } = draft;
        let ledger = self.ledger();
        let (answer, pending, sealed) = match record {
            Record::Entry { entry, evidence, answer } => {
                let appended = ledger.append(&mut *tx, &entry, evidence.as_ref())?;
                let sealed = ledger.seal(&mut *tx)?;
                let pending = ledger.receipt(&*tx, appended, &sealed)?;
                (answer(pending.receipt().clone())?, Some(pending), sealed)
            }
            Record::Nothing(answer) => (answer, None, ledger.seal(&mut *tx)?),
        };
        // What cannot be sent must not happen: both are found out before the commit.
        let cert = current(&*tx, &recipient, now)?;
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
        if let Some(before) = self.steady.forgettable(now, self.began.elapsed()) {
            tx.forget(before)?;
        }
        let passing = request.kind() == MessageKind::InstanceCheckIn;
        tx.put_reply(&StoredReply { id, digest, recipient, sealed: at_rest, passing }, now)?;

        let proof =
            sealed.commit(|| tx.commit().map_err(|error| crate::ledger::StorageFailure(error.into())))?;
        if !quiet {
            self.changes.tell();
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
        recipient: &Cert,
        now: Timestamp,
    ) -> Result<Message, Stop> {
        let audience =
            certificate::fingerprint(recipient).map_err(|error| Failure::Reply(error.to_string()))?;
        Ok(Message {
            v: Version,
            kind: answer.kind,
            id: MessageId::new(self.random())?,
            time: now,
            audience,
            transcript,
            in_reply_to: Some(request),
            body: answer.body,
        })
    }

    /// The stored reply, sealed to whatever key the sender has by now.
    fn again(&self, tx: &dyn Transaction, stored: &StoredReply, now: Timestamp) -> Result<Outgoing, Stop> {
        let message = self.read_back(stored)?;
        let cert = current(tx, &stored.recipient, now)?;
        Ok(Outgoing::read_back(message, cert))
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

    /// Whom to tell of changes, and who tells of them.
    #[must_use]
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(crate) const fn watches(&self) -> &Watches {
        &self.watches
    }

    pub(crate) fn random(&self) -> &dyn Random {
        &*self.parts.random
    }

    pub(crate) const fn pepper(&self) -> &Pepper {
        &self.parts.pepper
    }

    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.parts.ledger
    }

    pub(crate) const fn policy(&self) -> &PolicySet {
        &self.parts.policy
    }

    pub(crate) const fn offline(&self) -> OfflineRules {
        self.parts.offline
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.parts.store
    }

    pub(crate) const fn refusals(&self) -> &Meter {
        &self.refusals
    }
}

/// The table of handlers. [`Sender::may_send`] has said yes before.
fn dispatch(ctx: &mut Context<'_>, sender: Sender, prepared: Prepared) -> Result<Draft, Stop> {
    match (ctx.message().kind, sender) {
        (MessageKind::Hello, Sender::Application(application)) => enrolment::hello(ctx, application),
        (MessageKind::InstanceKey, Sender::Newcomer { application, key }) => {
            enrolment::instance_key(ctx, application, key)
        }
        (MessageKind::InstanceCheckIn, Sender::Instance(instance)) => enrolment::check_in(ctx, &instance),
        (MessageKind::KeyUpdate, Sender::InstancePrimary(instance)) => enrolment::key_update(ctx, instance),
        (MessageKind::RotationRequest, Sender::Instance(instance)) => rotation::request(ctx, &instance),
        (MessageKind::RotationKey, Sender::Successor { instance, key }) => rotation::key(ctx, instance, key),
        (MessageKind::RegistrationRequest, Sender::Instance(instance)) => {
            registration::request(ctx, instance)
        }
        (MessageKind::RegistrationCode, Sender::Instance(instance)) => registration::code(ctx, &instance),
        (MessageKind::UserKey, Sender::Instance(instance)) => registration::user_key(ctx, &instance),
        (MessageKind::JobRequest, Sender::Instance(instance)) => jobs::job_request(ctx, &instance, prepared),
        (MessageKind::JobOutcome, Sender::Instance(instance)) => {
            job_outcome::job_outcome(ctx, &instance, prepared)
        }
        (MessageKind::OfflineUse, Sender::Instance(instance)) => {
            offline_use::offline_use(ctx, &instance, prepared)
        }
        (MessageKind::HostEvent, Sender::Instance(instance)) => host_event::host_event(ctx, &instance),
        _ => Err(Reason::UnknownSender.into()),
    }
}

/// The certificate to seal to, as it is in this transaction. A revoked instance is told nothing any more.
pub(crate) fn current<R: InstanceRead + ?Sized>(
    store: &R,
    recipient: &Recipient,
    now: Timestamp,
) -> Result<Cert, Stop> {
    let parse = |bytes: &[u8]| {
        certificate::parse(bytes).map_err(|error| Stop::from(Failure::Reply(error.to_string())))
    };
    let cert = match recipient {
        Recipient::Ephemeral(bytes) => parse(bytes),
        Recipient::Instance(fingerprint) => {
            let instance = instance(store, fingerprint)?;
            parse(&instance.certificate)
        }
    }?;
    keys::receives(&cert, now)?;
    Ok(cert)
}

fn instance<R: InstanceRead + ?Sized>(store: &R, fingerprint: &Fingerprint) -> Result<Instance, Stop> {
    let found = store.instance(fingerprint)?.ok_or(Reason::UnknownSender)?;
    if found.state == InstanceState::Revoked {
        return Err(Reason::InstanceRevoked.into());
    }
    Ok(found)
}
