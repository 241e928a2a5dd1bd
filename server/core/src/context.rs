//! What a handler has in hand: the message, its transaction, the time, and the server's own keys.

use std::cell::OnceCell;
use std::sync::Arc;

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::{Countersigned, Verified};
use countersign_protocol::ids::{AccountName, CorrelationId, Digest, Fingerprint};
use countersign_protocol::ledger::{Entry, EntryKind, Outcome};
use countersign_protocol::message::{Body, Message};
use countersign_protocol::random::Random;

use crate::audit::{Finding, Standstill, Verdict};
use crate::core::Core;
use crate::identity::Identity;
use crate::instances::Instance;
use crate::ledger::Ledger;
use crate::outbox::{Post, Reach};
use crate::policy::PolicySet;
use crate::refusal::Reason;
use crate::replies::StoredReply;
use crate::roster::Rules;
use crate::secrets::{Pepper, StoreKey};
use crate::standing::{Subject, Watched};
use crate::stop::{Failure, Stop};
use crate::store::{StoreError, Transaction};

/// The check of [`Context::as_recorded`], in entries.
pub(crate) const AS_RECORDED: &str = "as-recorded";

/// One verified message and its transaction.
pub(crate) struct Context<'a> {
    /// When it is handled.
    pub(crate) now: Timestamp,
    /// What people quote.
    pub(crate) correlation: CorrelationId,
    core: &'a Core,
    identity: Arc<Identity>,
    verified: &'a Verified,
    tx: &'a mut dyn Transaction,
    /// The rows that the message may change.
    watched: Watched,
    policy: OnceCell<Arc<PolicySet>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        core: &'a Core,
        verified: &'a Verified,
        tx: &'a mut dyn Transaction,
        now: Timestamp,
        correlation: CorrelationId,
    ) -> Self {
        Self {
            now,
            correlation,
            core,
            identity: core.identity(),
            verified,
            tx,
            watched: Watched::default(),
            policy: OnceCell::new(),
        }
    }

    /// Entries say of these rows how they stood and how they stand.
    pub(crate) fn watch(&mut self, subjects: Vec<Subject>) -> Result<(), Stop> {
        self.watched = Watched::of(&*self.tx, subjects)?;
        Ok(())
    }

    /// The rows that no entry spoke of yet.
    pub(crate) fn watched(self) -> Watched {
        self.watched
    }

    pub(crate) fn body<B: Body>(&self) -> Result<B, Reason> {
        self.verified.body().map_err(|error| Reason::Body(error.to_string()))
    }

    pub(crate) const fn message(&self) -> &Message {
        self.verified.message()
    }

    /// The message with its host's signature, to be checked by others.
    pub(crate) fn countersigned(&self, by: &Instance) -> Result<Countersigned, Failure> {
        self.verified.countersigned(&by.certificate).map_err(|error| Failure::Reply(error.to_string()))
    }

    pub(crate) fn literal(&self) -> &[u8] {
        self.verified.literal()
    }

    pub(crate) fn tx(&self) -> &dyn Transaction {
        &*self.tx
    }

    pub(crate) fn read_back(&self, stored: &StoredReply) -> Result<Message, Failure> {
        self.core.read_back(stored)
    }

    pub(crate) fn random(&self) -> &dyn Random {
        self.core.random()
    }

    pub(crate) fn pepper(&self) -> &Pepper {
        self.core.pepper()
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn server(&self) -> &Fingerprint {
        self.identity.fingerprint()
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        self.core.ledger()
    }

    /// The policies in force in this transaction, before anything that it changes about them.
    pub(crate) fn policy(&self) -> Result<Arc<PolicySet>, Failure> {
        if let Some(policy) = self.policy.get() {
            return Ok(policy.clone());
        }
        let policy = self.core.policy_of(&*self.tx)?;
        Ok(self.policy.get_or_init(|| policy).clone())
    }

    /// What the last audit said, and audits before.
    pub(crate) const fn verdict(&self) -> &Verdict {
        self.core.verdict()
    }

    /// Whether the rows by which a person gets anything on a host, and the policies, are what the ledger says.
    ///
    /// # Errors
    /// In words, what was edited.
    pub(crate) fn as_recorded(&self, account: &AccountName, instance: &Fingerprint) -> Result<(), String> {
        let rows = [Subject::account(account), Subject::instance(instance)];
        let edited = rows.iter().find(|row| self.distrusts(row)).map(ToString::to_string);
        match edited.or_else(|| self.verdict().edited_policy()) {
            None => Ok(()),
            Some(row) => Err(format!(
                "{row} was changed in the server's database and not by a request. Nothing goes by it until an administrator \
                 of the server has looked: countersign-server check"
            )),
        }
    }

    /// Nobody becomes anything, nor gets another key, while the ledger or the database as a whole is not right: what such a
    /// message goes by may be what somebody wrote there. Logins, the session keys of hosts, what hosts report, and
    /// revocation certificates, which take away and prove themselves, go on.
    ///
    /// # Errors
    /// [`Reason::DatabaseEdited`]; or a failure that passes, where nothing could be compared so far.
    pub(crate) fn may_bind(&self) -> Result<(), Stop> {
        match self.verdict().standstill() {
            None => Ok(()),
            Some(Standstill::Damaged(Finding { row, .. })) => {
                Err(Reason::DatabaseEdited(format!("the {row}")).into())
            }
            Some(yet @ Standstill::NotCompared(_)) => {
                Err(Failure::Store(StoreError::Unavailable(yet.to_string())).into())
            }
        }
    }

    /// Whether the last audit found that this row was edited.
    pub(crate) fn distrusts(&self, subject: &Subject) -> bool {
        self.core.verdict().distrusts(subject)
    }

    pub(crate) const fn rules(&self) -> Rules {
        self.core.rules()
    }

    pub(crate) const fn reach(&self) -> &Reach {
        self.core.reach()
    }

    pub(crate) const fn store_key(&self) -> &StoreKey {
        self.core.store_key()
    }

    /// Letters that leave if this transaction happens: `ctx.post().notify(account, purpose, text)`.
    pub(crate) fn post(&self) -> Post<'_> {
        let (tx, key, random) = (self.tx(), self.store_key(), self.random());
        Post::new(tx, key, random, self.reach(), self.now)
    }

    /// A message outside handshakes, or the first of one, carries no chain.
    pub(crate) const fn outside_handshakes(&self) -> Result<(), Reason> {
        match self.verified.message().transcript {
            None => Ok(()),
            Some(_) => Err(Reason::Transcript),
        }
    }

    /// An entry about this message.
    pub(crate) fn entry(&self, kind: EntryKind, decision: Outcome, reason: impl Into<String>) -> Entry {
        let mut entry = Entry::new(kind, self.now, self.correlation.clone(), decision, reason);
        entry.message = Some(self.verified.message().id);
        entry
    }

    /// An entry beside the one that the reply proves.
    pub(crate) fn append(&mut self, mut entry: Entry) -> Result<(), Stop> {
        self.watched.note(&*self.tx, &mut entry)?;
        let _beside = self.core.ledger().append(&mut *self.tx, &entry, None)?;
        Ok(())
    }

    /// The checkpoint over everything so far, this transaction included, and the proof that it continues the
    /// one of size `seen`.
    pub(crate) fn newest_checkpoint(&mut self, seen: u64) -> Result<(String, Vec<Digest>), Stop> {
        let ledger = self.core.ledger();
        let sealed = ledger.seal(&mut *self.tx)?;
        let checkpoint = sealed.checkpoint();
        let proof = ledger.consistency(&*self.tx, checkpoint.size(), seen)?;
        Ok((checkpoint.note().to_owned(), proof))
    }
}
