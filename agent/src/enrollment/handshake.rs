//! From a key that nobody knows to an instance of a server.
//!
//! ```text
//! hello ────▶ commits to the instance's certificate, brings a one-time key
//!       ◀──── hello-reply: server nonce, sealed to the one-time key
//! instance-key ────▶ the certificate, signed by the application and by its own primary key
//!       ◀──── enrolment-record: compared field by field, receipt checked
//! ```

use std::time::Instant;

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::envelope::{self, Sealed, Verified};
use countersign_protocol::ids::MessageId;
use countersign_protocol::ipc::{Enroll, ProblemKind};
use countersign_protocol::ledger::{LedgerKey, check_receipt};
use countersign_protocol::limits;
use countersign_protocol::message::{
    EnrolmentRecord, Hello, HelloReply, InstanceKey, KeyStore, Message, Transcript,
};

use super::host_key::{KeyMaker, Made, hostname};
use super::unfinished::Unfinished;
use crate::agent::Agent;
use crate::check_in::{Contact, own_version};
use crate::instance_key::{BACKDATE, Primary, SessionKeys};
use crate::person::Person;
use crate::reach::Patience;
use crate::server_link::{Instance, Link};
use crate::server_time::Answers;
use crate::trouble::Trouble;
use crate::wire::{LinkError, Server};

/// What both halves need.
pub(super) struct Enrolment<'a> {
    pub(super) agent: &'a Agent,
    pub(super) ask: &'a Enroll,
    /// What names this host now, if its key is to be replaced.
    pub(super) old: Option<&'a Link>,
    pub(super) server: Server,
    pub(super) application: Cert,
}

/// A host that the server knows.
pub(super) struct Finished {
    pub(super) link: Link,
    pub(super) record: EnrolmentRecord,
    pub(super) contact: Contact,
}

impl Enrolment<'_> {
    /// Makes the instance's key and keeps it, and says hello with a clock that the server accepts.
    pub(super) fn prepare(&self, person: &mut Person) -> Result<Unfinished, Trouble> {
        let Made { base, primary, key_store } = self.make_key(person)?;
        match self.say_hello(&base, &primary, &key_store) {
            Err(Trouble { kind: ProblemKind::Refused, .. }) if self.clock_was_wrong() => {
                if matches!(key_store, KeyStore::Sealed) {
                    let Made { base, primary, key_store } = self.make_key(person)?;
                    return self.say_hello(&base, &primary, &key_store);
                }
                if self.agent.wire.time.offset().is_some_and(|offset| offset < -BACKDATE) {
                    return Err(Trouble::new(
                        ProblemKind::Refused,
                        "This host's clock is ahead of the server's, and the key on the card carries its time. Set the clock (timedatectl set-ntp true) and enrol again.",
                    ));
                }
                self.say_hello(&base, &primary, &key_store)
            }
            other => other,
        }
    }

    fn make_key(&self, person: &mut Person) -> Result<Made, Trouble> {
        KeyMaker { agent: self.agent, link: self.old }.make(&self.ask.key_store, person)
    }

    fn clock_was_wrong(&self) -> bool {
        self.agent.wire.time.offset().is_some_and(|offset| offset != 0)
    }

    /// `hello` and its reply. What is needed to go on is on disk before anything is sent.
    fn say_hello(&self, base: &Cert, primary: &Primary, key_store: &KeyStore) -> Result<Unfinished, Trouble> {
        let agent = self.agent;
        let now = agent.wire.time.now();
        let session = SessionKeys::generate(base, primary.signer(base, &agent.cards)?, now)?;
        let ephemeral = certificate::generate_software(
            "countersign hello",
            now.plus(-BACKDATE),
            Some(limits::HANDSHAKE_LIFE + 2 * BACKDATE),
        )?;
        let hello = Hello {
            ephemeral: Binary(certificate::to_bytes(&ephemeral)?),
            commitment: certificate::commitment(session.certificate())?,
            nonce: countersign_protocol::ids::Nonce::new(agent.random.as_ref())?,
            version: own_version(),
        };
        let message = Message::new(
            MessageId::new(agent.random.as_ref())?,
            now,
            self.server.fingerprint.clone(),
            &hello,
        )?;
        let signer = self.application_signer()?;
        let sealed = envelope::seal(&message, vec![signer], &self.server.certificate(), now)?;
        let mut unfinished =
            Unfinished::begin(self.ask, self.old, base, &session, &ephemeral, key_store, sealed, now)?;
        unfinished.keep(&agent.state)?;
        self.hear_hello(&mut unfinished)?;
        Ok(unfinished)
    }

    /// Sends the hello – again, if the answer was lost – and makes the key message.
    fn hear_hello(&self, unfinished: &mut Unfinished) -> Result<(), Trouble> {
        let agent = self.agent;
        let ephemeral = unfinished.ephemeral()?;
        let decryptors = certificate::decryptors_of(&ephemeral, agent.wire.time.now())?;
        let reply = self.exchange(&unfinished.hello, &ephemeral, decryptors)?;
        let heard = Transcript::enrolment().then(unfinished.hello.literal());
        check_transcript(&reply, heard)?;
        let body: HelloReply = reply.body()?;
        if body.version_retired {
            return Err(Trouble::new(
                ProblemKind::Refused,
                format!(
                    "Version {} of {} was retired by its developer, so that no host enrols with it any more. Install a \
                     newer one, then enrol again.",
                    env!("CARGO_PKG_VERSION"),
                    body.application
                ),
            ));
        }
        let transcript = heard.then(reply.literal());

        let (base, session) = (unfinished.base()?, unfinished.session()?);
        let key = InstanceKey {
            certificate: Binary(certificate::to_bytes(session.certificate())?),
            server_nonce: body.server_nonce,
            token: self.ask.token.clone(),
            claimed_hostname: hostname(),
            key_store: unfinished.key_store.clone(),
        };
        let now = agent.wire.time.now();
        let message =
            Message::new(MessageId::new(agent.random.as_ref())?, now, self.server.fingerprint.clone(), &key)?
                .with_transcript(transcript.digest());
        let primary = Primary::load(&agent.state, &certificate::fingerprint(&base)?, &unfinished.key_store);
        let signers = vec![self.application_signer()?, primary.signer(&base, &agent.cards)?];
        let sealed = envelope::seal(&message, signers, &self.server.certificate(), now)?;
        unfinished.go_on(sealed, transcript.digest(), body.application, body.expires);
        Ok(unfinished.keep(&agent.state)?)
    }

    /// `instance-key` and its reply.
    pub(super) fn run(&self, mut unfinished: Unfinished) -> Result<Finished, Trouble> {
        if unfinished.key_message().is_none() {
            self.hear_hello(&mut unfinished)?;
        }
        let (sealed, transcript, application) = unfinished.key_message().ok_or_else(|| {
            Trouble::new(ProblemKind::Internal, "The enrolment lost its place; start it again.")
        })?;
        let session = unfinished.session()?;
        let decryptors = session.decryptors(self.agent.wire.time.now())?;
        let reply = self.exchange(sealed, session.certificate(), decryptors)?;
        let sent = Transcript::resume(transcript).then(sealed.literal());
        check_transcript(&reply, sent)?;
        let record: EnrolmentRecord = reply.body()?;

        // Field by field against what was sent (W6).
        let base = unfinished.base()?;
        let fingerprint = certificate::fingerprint(&base)?;
        let ledger_key: LedgerKey = record.ledger_key.parse()?;
        let proven = check_receipt(&record.receipt, &ledger_key)?;
        proven.answers(&sealed.id(), None)?;
        for (same, what) in [
            (record.instance == fingerprint, "another instance"),
            (record.application == *application, "another application"),
            (record.transcript == sent.digest(), "another handshake"),
            (*ledger_key.server() == self.server.fingerprint, "another server's ledger"),
            (self.old.is_none_or(|old| old.instance.ledger_key == ledger_key), "another ledger than before"),
            (proven.entry().instance.as_ref() == Some(&fingerprint), "a ledger entry about another instance"),
        ] {
            if !same {
                return Err(LinkError::Untrusted(format!("the enrolment record names {what}")).into());
            }
        }

        let instance = Instance {
            fingerprint,
            certificate: Binary(certificate::to_bytes(&base)?),
            key_store: unfinished.key_store.clone(),
            application: application.clone(),
            server_certificate: Binary(self.server.bytes()),
            server_url: self.server.url.clone(),
            ledger_key,
            ledger_index: proven.index(),
            earlier: Vec::new(),
        };
        let mut contact = Contact::new(record.state);
        contact.checkpoint = Some(proven.checkpoint().note().to_owned());
        let primary = Primary::load(&self.agent.state, &instance.fingerprint, &unfinished.key_store);
        // The session keys lay on the disk for this one answer. Those that are used are made anew, and never do.
        Ok(Finished { link: Link::new(instance, primary, None)?, record, contact })
    }

    fn exchange(
        &self,
        sealed: &Sealed,
        me: &Cert,
        decryptors: Vec<countersign_protocol::curve25519::SoftwareKey>,
    ) -> Result<Verified, Trouble> {
        let patience = Patience::until(Instant::now() + limits::SERVER_ANSWER);
        Ok(self.agent.wire.exchange(Answers::Fresh, &self.server, sealed, me, decryptors, patience)?)
    }

    fn application_signer(&self) -> Result<envelope::BoxedSigner, Trouble> {
        let key = certificate::fingerprint(&self.application)?;
        Ok(Box::new(certificate::signer_of(&self.application, &key)?))
    }
}

fn check_transcript(reply: &Verified, expected: Transcript) -> Result<(), Trouble> {
    if reply.message().transcript == Some(expected.digest()) {
        return Ok(());
    }
    Err(LinkError::Untrusted("it belongs to another handshake".to_owned()).into())
}
