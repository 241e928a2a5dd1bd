//! The one pipeline that every message goes through.
//!
//! ```text
//! Opened ─▶ BEGIN ─▶ seen before? ─▶ who, in what state, may they? ─▶ handler ─▶ ledger entry ─▶ stored reply
//!        ─▶ COMMIT ─▶ Outgoing
//! ```
//!
//! Cryptography on what came in is done before the transaction, and on what goes out after it.

mod own_keys;
mod refuse;
mod settle;

pub(crate) use refuse::About;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use countersign_protocol::clock::{Clock, Timestamp};
use countersign_protocol::envelope::{OpenError, Opened, Seen};
use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ledger::LedgerKey;
use countersign_protocol::message::{MessageKind, Refusal};
use countersign_protocol::random::Random;

use crate::api::Api;
use crate::audit::{Auditor, Report, Verdict};
use crate::changes::Changes;
use crate::context::Context;
use crate::draft::Draft;
use crate::emergency;
use crate::enrolment;
use crate::forgetting::{self, Steady};
use crate::host_event;
use crate::identity::Identity;
use crate::job_outcome;
use crate::jobs;
use crate::ledger::Ledger;
use crate::offline_use;
use crate::outbox::Reach;
use crate::outgoing::Outgoing;
use crate::pins::Pins;
use crate::policy::{Current, PolicyRead, PolicySet};
use crate::prepared::Prepared;
use crate::queue;
use crate::recovery;
use crate::refusal::{Meter, Reason};
use crate::registration;
use crate::revocation;
use crate::roster::Rules;
use crate::rotation;
use crate::secrets::{Pepper, StoreKey};
use crate::sender::Sender;
use crate::standing::subjects;
use crate::stop::{Failure, Stop};
use crate::store::{Store, View};
use crate::watch::{Watches, Watching};

/// Everything the core is made of.
pub struct Parts {
    /// Where state lives.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The server's OpenPGP key, as it is now: its subkeys are exchanged.
    pub identity: ArcSwap<Identity>,
    /// The key under the digests of codes.
    pub pepper: Pepper,
    /// The key that seals replies at rest.
    pub store_key: StoreKey,
    /// The log's writer.
    pub ledger: Ledger,
    /// What hosts and people may do beside policy.
    pub rules: Rules,
    /// How people are reached, and who may register alone.
    pub reach: Reach,
}

/// What a door may call.
pub struct Core {
    parts: Parts,
    refusals: Meter,
    steady: Steady,
    began: Instant,
    watches: Watches,
    changes: Arc<Changes>,
    queue: Changes,
    verdict: Verdict,
    /// One audit at a time, so that none takes back what a later one found.
    auditing: Mutex<()>,
    policies: Current,
    pins: Pins,
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

impl Taken {
    /// Whether its host need not pay for it: it came before, so that whoever saw it on the way may have sent it now; or it is a
    /// watch, which another process may have taken before, and of which there are few by a limit of their own.
    #[must_use]
    pub const fn costs_nothing(&self) -> bool {
        match self {
            Self::Answered(Settled::Reply { again, .. }) => *again,
            Self::Answered(Settled::Refused { reason, .. }) => {
                matches!(reason, Reason::Envelope(OpenError::Replay | OpenError::IdReused))
            }
            Self::Watch(_) => true,
        }
    }
}

impl Core {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let changes = Arc::new(Changes::default());
        let told = Arc::downgrade(&changes);
        parts.store.listen(Box::new(move || {
            if let Some(changes) = told.upgrade() {
                changes.tell();
            }
        }));
        Self {
            parts,
            refusals: Meter::default(),
            steady: Steady::default(),
            began: Instant::now(),
            watches: Watches::default(),
            changes,
            queue: Changes::default(),
            verdict: Verdict::default(),
            auditing: Mutex::default(),
            policies: Current::default(),
            pins: Pins::default(),
        }
    }

    /// The time now, as the core sees it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// The server's key as it is now: its subkeys are exchanged from time to time.
    #[must_use]
    pub fn identity(&self) -> Arc<Identity> {
        self.parts.identity.load_full()
    }

    /// Committed state.
    ///
    /// # Errors
    /// The store's.
    pub fn view(&self) -> Result<Box<dyn View + '_>, Failure> {
        Ok(self.parts.store.view()?)
    }

    /// The same, for finding out who may have signed a message. Nothing is decided by it; what gets into an answer is of rows that
    /// are only ever added.
    ///
    /// # Errors
    /// The store's.
    pub fn glance(&self) -> Result<Box<dyn View + '_>, Failure> {
        Ok(self.parts.store.glance()?)
    }

    /// How many entries the ledger has, if a message could be worked on now: the store answers and the ledger is there; and, if
    /// `writing`, the store lets us write, and our clock is not behind what was forgotten by it. That takes a writer's turn, so
    /// it is not for everybody who asks. Changes nothing.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn readiness(&self, writing: bool) -> Result<u64, Failure> {
        if writing {
            let tx = self.parts.store.begin()?;
            forgetting::remembers(&*tx, self.now())?;
        }
        Ok(self.ledger().head(&*self.view()?)?.size())
    }

    /// How many policies are in force, if this program can read all of them.
    ///
    /// # Errors
    /// [`Failure::Policy`] if it cannot: then it would decide nothing.
    pub fn policies(&self) -> Result<usize, Failure> {
        Ok(self.policy_of(&*self.view()?)?.size())
    }

    /// Acts on a message, once. `view` is what was known when its signatures were checked; it is let go before anything is decided.
    ///
    /// # Errors
    /// [`Failure`]: nothing happened, and the sender may send the same bytes again.
    pub fn take(&self, opened: Opened, view: Box<dyn View + '_>) -> Result<Taken, Failure> {
        let now = self.now();
        let correlation = CorrelationId::new(self.random())?;
        let (id, digest, signers) = (opened.message().id, opened.wire_digest(), opened.signers().to_vec());
        let claimed = match opened.message().kind {
            MessageKind::JobRequest => opened.message().body.get("signed").cloned(),
            _ => None,
        };
        let taken = match opened.message().kind {
            _ if opened.message().in_reply_to.is_some() => {
                drop(view);
                Err(Reason::Body("a request answers nothing".into()).into())
            }
            MessageKind::Watch => {
                drop(view);
                self.take_watch(opened, now, correlation.clone()).map(Taken::Watch)
            }
            _ => self.act(opened, view, now, &correlation).map(Taken::Answered),
        };
        match taken {
            Ok(taken) => Ok(taken),
            Err(Stop::Refused(reason)) => {
                let about = About { digest, message: Some(id), signers, claimed };
                self.refuse_about(reason, &about, now, correlation).map(Taken::Answered)
            }
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    fn act(
        &self,
        opened: Opened,
        view: Box<dyn View + '_>,
        now: Timestamp,
        correlation: &CorrelationId,
    ) -> Result<Settled, Stop> {
        let settled = |reply: Outgoing, again: bool, active: bool| {
            let (reply, correlation) = (Box::new(reply), correlation.clone());
            Settled::Reply { reply, correlation, again, active }
        };
        let prepared = Prepared::of(self, &*view, &opened, now)?;
        drop(view);
        let mut tx = self.parts.store.begin_expecting(&prepared.expected(&opened))?;
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
            if opened.message().kind == MessageKind::JobResultRequest
                && !queue::is_leased(&*tx, opened.message(), now)?
            {
                return Err(Reason::Envelope(OpenError::Replay).into());
            }
            let reply = self.again(&*tx, stored, now)?;
            // Somebody may have put it there just now, whose commit is this one's.
            tx.commit()?;
            return Ok(settled(reply, true, false));
        }
        let verified = opened.admit(seen).map_err(Reason::from)?;
        let sender = Sender::of(&*tx, verified.signers())?;
        let goes_on = sender.goes_on_with_a_retired_key(verified.kind(), verified.message().time);
        goes_on.map_or(Ok(()), Err)?;
        sender.may_send(verified.kind())?;
        let active = sender.is_active_instance();
        let seen = (sender.application().clone(), sender.checks());
        let asked = (verified.kind() == MessageKind::JobRequest).then(|| sender.instance()).flatten();
        let asked = asked.and_then(|instance| self.pins.sender(&instance.certificate, now).ok());
        let subjects = subjects(&*tx, &sender, verified.message(), &prepared, now)?;
        let (draft, watched) = {
            let mut context = Context::new(self, &verified, &mut *tx, now, correlation.clone());
            context.watch(subjects)?;
            (dispatch(&mut context, sender, prepared)?, context.watched())
        };
        Ok(settled(self.settle(tx, &verified, draft.from(seen), watched, asked, now)?, false, active))
    }

    /// Compares the tables with the ledger – what is new, or all of it if no process on the database did that within `whole`
    /// – and remembers what came of it.
    ///
    /// # Errors
    /// The store's. It is remembered, too.
    pub fn audit(&self, whole: Option<Duration>) -> Result<Report, Failure> {
        let _one = self.auditing.lock().unwrap_or_else(PoisonError::into_inner);
        let Parts { store, pepper, ledger, random, .. } = &self.parts;
        let auditor = Auditor { store: &**store, pepper, ledger, random: &**random };
        let whole = whole.map_or(Ok(false), |every| {
            auditor.whole_is_due(i64::try_from(every.as_secs()).unwrap_or(i64::MAX), self.now())
        });
        let said = whole.and_then(|whole| auditor.run(self.now(), whole));
        self.verdict.put(said.as_ref());
        said
    }

    /// What does the jobs of this server, beside others that do.
    ///
    /// # Errors
    /// [`Failure::Random`].
    pub fn api(&self) -> Result<Api, Failure> {
        let Parts { store, clock, random, ledger, .. } = &self.parts;
        Api::new(store.clone(), clock.clone(), &**random, ledger.key().clone())
    }

    /// What receipts and exports of its ledger are checked with.
    #[must_use]
    pub const fn ledger_key(&self) -> &LedgerKey {
        self.parts.ledger.key()
    }

    /// Deletes what was answered so long ago that it cannot come again, some of it in each transaction, until nothing of it is
    /// left. To be called every few seconds: it watches the clock too.
    ///
    /// # Errors
    /// The store's.
    pub fn forget(&self) -> Result<(), Failure> {
        let Some(before) = self.steady.forgettable(self.now(), self.began.elapsed()) else { return Ok(()) };
        loop {
            let tx = self.parts.store.begin()?;
            let is_more = tx.forget_some(before)?;
            tx.commit()?;
            if !is_more {
                return Ok(());
            }
        }
    }

    /// What the last audit of this process said.
    #[must_use]
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Whom to tell of changes, and who tells of them.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Whom to tell of jobs that were queued by this process.
    #[must_use]
    pub const fn queue(&self) -> &Changes {
        &self.queue
    }

    /// Certificates that were judged a short time ago.
    #[must_use]
    pub const fn pins(&self) -> &Pins {
        &self.pins
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

    /// The policies that `store` holds: a transaction that has changed none so far, or a view.
    pub(crate) fn policy_of<R: PolicyRead + ?Sized>(&self, store: &R) -> Result<Arc<PolicySet>, Failure> {
        self.policies.of(store)
    }

    pub(crate) const fn rules(&self) -> Rules {
        self.parts.rules
    }

    pub(crate) const fn reach(&self) -> &Reach {
        &self.parts.reach
    }

    pub(crate) const fn store_key(&self) -> &StoreKey {
        &self.parts.store_key
    }

    /// The database, for who reads it beside the core.
    #[must_use]
    pub fn shared_store(&self) -> Arc<dyn Store> {
        self.parts.store.clone()
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
    if binds_a_key(ctx.message().kind) {
        ctx.may_bind()?;
    }
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
        (MessageKind::JobResultRequest, Sender::Instance(instance)) => queue::fetch(ctx, &instance),
        (MessageKind::ResultAck, Sender::Instance(instance)) => queue::acknowledge(ctx, &instance),
        (MessageKind::JobOutcome, Sender::Instance(instance)) => {
            job_outcome::job_outcome(ctx, &instance, prepared)
        }
        (MessageKind::OfflineUse, Sender::Instance(instance)) => {
            offline_use::offline_use(ctx, &instance, prepared)
        }
        (MessageKind::EmergencyUse, Sender::Instance(instance)) => emergency::emergency_use(ctx, &instance),
        (MessageKind::OfflineEmergency, Sender::Instance(instance)) => {
            emergency::offline_emergency(ctx, &instance, prepared)
        }
        (MessageKind::RecoveryStep, Sender::Instance(instance)) => recovery::step(ctx, &instance),
        (MessageKind::Revocation, Sender::Instance(instance)) => revocation::revocation(ctx, &instance),
        (MessageKind::HostEvent, Sender::Instance(instance)) => host_event::host_event(ctx, &instance),
        _ => Err(Reason::UnknownSender.into()),
    }
}

/// Whether a message makes a key somebody's, or leads there. From the first word on, so that no code is used up for nothing. Of
/// jobs and recoveries only some do that: they ask by themselves.
const fn binds_a_key(kind: MessageKind) -> bool {
    matches!(
        kind,
        MessageKind::InstanceKey
            | MessageKind::RotationRequest
            | MessageKind::RotationKey
            | MessageKind::RegistrationRequest
            | MessageKind::RegistrationCode
            | MessageKind::UserKey
    )
}
