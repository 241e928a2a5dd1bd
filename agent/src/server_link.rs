//! This host as an instance of one server: seals with the session keys, opens what comes back.

use std::sync::{Arc, Mutex, PoisonError};

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::{self, Sealed, Verified};
use countersign_protocol::ids::{ApplicationName, Digest, Fingerprint, MessageId};
use countersign_protocol::ledger::{LedgerKey, ProvenEntry, check_receipt};
use countersign_protocol::message::{Body, KeyStore, KeyUpdate, KeyUpdateReply, Message, Receipt};
use countersign_protocol::random::Random;
use serde::{Deserialize, Serialize};

use crate::card::Cards;
use crate::check_in::Contacts;
use crate::instance_key::{Primary, PrimaryError, SessionKeys};
use crate::keeper::{Refusal, RenewalTrouble};
use crate::reach::Patience;
use crate::server_time::Answers;
use crate::state::StateDir;
use crate::wire::{LinkError, Server, Wire};

/// The file of an enrolled host.
pub const INSTANCE: &str = "instance.json";

/// What a host keeps of its enrolment. Public data: the key lies elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Its name in the server.
    pub fingerprint: Fingerprint,
    /// Primary key and user id, without session keys.
    pub certificate: Binary,
    /// Where the primary key lives.
    pub key_store: KeyStore,
    /// Copy of which application.
    pub application: ApplicationName,
    /// Pinned.
    pub server_certificate: Binary,
    /// Where it listens.
    pub server_url: String,
    /// Checks its receipts and checkpoints.
    pub ledger_key: LedgerKey,
    /// Where the enrolment lies in the ledger.
    pub ledger_index: u64,
    /// The names that it had before its key was rotated, the last one last. To the server they are this host's still.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Fingerprint>,
}

/// Earlier names kept: what was sent under one is settled before the next rotation, or nobody tells about it.
const EARLIER: usize = 16;

impl Instance {
    /// Whether the server knows this name for this host's, now or before a rotation.
    #[must_use]
    pub fn has_been(&self, name: &Fingerprint) -> bool {
        self.fingerprint == *name || self.earlier.contains(name)
    }

    /// The names that are earlier ones once this name is.
    #[must_use]
    pub fn names_so_far(&self) -> Vec<Fingerprint> {
        let mut names = self.earlier.clone();
        names.push(self.fingerprint.clone());
        names.split_off(names.len().saturating_sub(EARLIER))
    }
}

/// An enrolled host's connection to its server.
pub struct Link {
    /// What was kept.
    pub instance: Instance,
    /// The server.
    pub server: Server,
    /// The instance's certificate without session keys.
    pub base: Cert,
    /// The key that names this host. Held to look or to replace.
    primary: Mutex<Arc<Primary>>,
    /// Announced to the server; none until the first key update after a start. Held to look or to replace.
    session: Mutex<Option<Arc<SessionKeys>>>,
    /// What stood in the way of the next ones. Held to look or to replace.
    trouble: Mutex<Option<RenewalTrouble>>,
    refusal: Refusal,
}

/// A request and its proven answer.
pub struct Exchange {
    /// What was sent.
    pub sealed: Sealed,
    /// What came back.
    pub reply: Verified,
}

/// What a link needs of the rest of the agent.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// To the server.
    pub wire: &'a Wire,
    /// For ids and nonces.
    pub random: &'a dyn Random,
    /// How long to wait.
    pub patience: Patience,
}

impl From<PrimaryError> for LinkError {
    fn from(error: PrimaryError) -> Self {
        Self::Mute(error.to_string())
    }
}

impl Link {
    /// Of an enrolment that was kept; `None` on a host that is not enrolled.
    ///
    /// # Errors
    /// The state is damaged, or the key cannot be read.
    pub fn load(state: &StateDir) -> Result<Option<Self>, LinkError> {
        let Some(instance) = state.read::<Instance>(INSTANCE)? else { return Ok(None) };
        let primary = Primary::load(state, &instance.fingerprint, &instance.key_store);
        let link = Self::new(instance, primary, None)?;
        link.server.resume(state)?;
        Ok(Some(link))
    }

    /// Of these parts.
    ///
    /// # Errors
    /// A certificate is not one.
    pub fn new(
        instance: Instance,
        primary: Primary,
        session: Option<SessionKeys>,
    ) -> Result<Self, LinkError> {
        let server = Server::new(&instance.server_certificate.0, &instance.server_url)?;
        let base = certificate::parse(&instance.certificate.0)?;
        Ok(Self {
            instance,
            server,
            base,
            primary: Mutex::new(Arc::new(primary)),
            session: Mutex::new(session.map(Arc::new)),
            trouble: Mutex::default(),
            refusal: Refusal::default(),
        })
    }

    /// The key that names this host.
    #[must_use]
    pub fn primary(&self) -> Arc<Primary> {
        Arc::clone(&self.primary.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the key that names this host again, if it could not be used: a TPM that was slow when the machine started,
    /// or a file that was put back, must not need a restart.
    pub fn read_primary_again(&self, state: &StateDir) {
        if self.primary().unusable().is_some() {
            let again = Primary::load(state, &self.instance.fingerprint, &self.instance.key_store);
            *self.primary.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(again);
        }
    }

    /// The session keys in use.
    #[must_use]
    pub fn session(&self) -> Option<Arc<SessionKeys>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether check-ins are refused, and what was done about it.
    #[must_use]
    pub const fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// What stood in the way of the next session keys, if they could not be had.
    #[must_use]
    pub fn trouble(&self) -> Option<RenewalTrouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes it, or that nothing does.
    pub fn set_trouble(&self, trouble: Option<RenewalTrouble>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Asks the server. A wrong clock is corrected and the message made anew, once.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn ask<B: Body>(
        &self,
        means: Means<'_>,
        body: &B,
        transcript: Option<Digest>,
    ) -> Result<Exchange, LinkError> {
        match self.ask_once(means, body, transcript) {
            Err(LinkError::Refused { clock_was_wrong: Some(_), .. }) => {
                self.ask_once(means, body, transcript)
            }
            other => other,
        }
    }

    /// Asks the server with a body that a wrong clock has spoilt already, such as a signed statement.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn ask_once<B: Body>(
        &self,
        means: Means<'_>,
        body: &B,
        transcript: Option<Digest>,
    ) -> Result<Exchange, LinkError> {
        let once = || {
            let sealed = self.seal(means, body, transcript)?;
            let reply = self.send(means, Answers::Fresh, &sealed)?;
            Ok(Exchange { sealed, reply })
        };
        self.with_its_keys(means, once)
    }

    /// Does it, and once more where the server turns out to have other keys than this host knew: nobody read the first.
    fn with_its_keys<T>(
        &self,
        means: Means<'_>,
        once: impl Fn() -> Result<T, LinkError>,
    ) -> Result<T, LinkError> {
        if !self.server.can_be_spoken_to(means.wire.time.now()) {
            // Away for longer than they live.
            let _news = means.wire.has_news(&self.server, means.patience);
        }
        let before = self.server.digest();
        match once() {
            Err(LinkError::Refused { .. }) if self.server.digest() != before => once(),
            other => other,
        }
    }

    /// Makes an envelope.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn seal<B: Body>(
        &self,
        means: Means<'_>,
        body: &B,
        transcript: Option<Digest>,
    ) -> Result<Sealed, LinkError> {
        self.seal_at(means, means.wire.time.now(), body, transcript)
    }

    /// Makes an envelope of a known time.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn seal_at<B: Body>(
        &self,
        means: Means<'_>,
        now: Timestamp,
        body: &B,
        transcript: Option<Digest>,
    ) -> Result<Sealed, LinkError> {
        let session = self.session().ok_or_else(no_session)?;
        let mut message =
            Message::new(MessageId::new(means.random)?, now, self.server.fingerprint.clone(), body)?;
        message.transcript = transcript;
        Ok(envelope::seal(&message, vec![session.signer()?], &self.server.certificate(), now)?)
    }

    /// Sends an envelope, made a moment ago or kept, and proves the answer.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn send(&self, means: Means<'_>, answers: Answers, sealed: &Sealed) -> Result<Verified, LinkError> {
        let session = self.session().ok_or_else(no_session)?;
        let decryptors = session.decryptors(means.wire.time.now())?;
        means.wire.exchange(answers, &self.server, sealed, session.certificate(), decryptors, means.patience)
    }

    /// Makes fresh session keys, announces them under the primary key, and uses them from then on. Says where that lies
    /// in the ledger.
    ///
    /// # Errors
    /// [`LinkError`]; the old keys, if any, stay.
    pub fn renew_session(
        &self,
        means: Means<'_>,
        cards: &Cards,
        contacts: &Contacts,
    ) -> Result<u64, LinkError> {
        let once = || self.with_its_keys(means, || self.renew_once(means, cards, contacts));
        match once() {
            Err(LinkError::Refused { clock_was_wrong: Some(_), .. }) => once(),
            other => other,
        }
    }

    fn renew_once(&self, means: Means<'_>, cards: &Cards, contacts: &Contacts) -> Result<u64, LinkError> {
        let now = means.wire.time.now();
        let primary = self.primary();
        let fresh = SessionKeys::generate(&self.base, primary.signer(&self.base, cards)?, now)?;
        let certificate = Binary(certificate::to_bytes(fresh.certificate())?);
        let update = KeyUpdate { certificate, counter: contacts.count()?.counter };
        let message =
            Message::new(MessageId::new(means.random)?, now, self.server.fingerprint.clone(), &update)?;
        let signer = primary.signer(&self.base, cards)?;
        let sealed = envelope::seal(&message, vec![signer], &self.server.certificate(), now)?;

        // The server may seal its answer to the keys it knew before, or to these already.
        let mut decryptors = fresh.decryptors(now)?;
        if let Some(old) = self.session() {
            decryptors.extend(old.decryptors(now).unwrap_or_default());
        }
        let (wire, me) = (means.wire, fresh.certificate());
        let reply = wire.exchange(Answers::Fresh, &self.server, &sealed, me, decryptors, means.patience)?;
        let reply: KeyUpdateReply = reply.body()?;
        let proven = self.prove(&reply.receipt)?;
        proven.answers(&sealed.id(), None)?;
        if reply.signing_key != *fresh.signing_key() {
            return Err(LinkError::Untrusted("the server expects another session key".to_owned()));
        }
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(fresh));
        Ok(proven.index())
    }

    /// Checks a receipt under the pinned ledger key.
    ///
    /// # Errors
    /// It proves nothing.
    pub fn prove(&self, receipt: &Receipt) -> Result<ProvenEntry, LinkError> {
        Ok(check_receipt(receipt, &self.instance.ledger_key)?)
    }
}

fn no_session() -> LinkError {
    LinkError::Internal("no session keys are announced yet".to_owned())
}
