//! A host that enrols, one message at a time.

use std::sync::Arc;

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Clock;
use countersign_protocol::envelope::{self, OpenError, Sealed, Verified};
use countersign_protocol::ids::{Digest, MessageId, Nonce};
use countersign_protocol::message::result::ApplicationBundle;
use countersign_protocol::message::{
    EnrolmentRecord, Hello, HelloReply, InstanceKey, KeyStore, Message, Transcript,
};
use countersign_protocol::random::SystemRandom;

use super::carrier::{Answer, Carrier, Lost};
use super::host::Host;
use super::keys;
use super::open_reply;

/// A host that is not enrolled yet.
pub(crate) struct Newcomer {
    pub(crate) carrier: Arc<dyn Carrier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) application: Cert,
    pub(crate) bundle: ApplicationBundle,
    pub(crate) server: Cert,
    /// Its own new key, with secrets and one session key.
    pub(crate) cert: Cert,
    pub(crate) session_key: countersign_protocol::ids::Fingerprint,
    pub(crate) ephemeral: Cert,
}

/// After the hello was answered.
pub(crate) struct Greeted {
    pub(crate) transcript: Digest,
    pub(crate) reply: HelloReply,
}

impl Newcomer {
    pub(crate) fn new(bundle: &ApplicationBundle, carrier: Arc<dyn Carrier>, clock: Arc<dyn Clock>) -> Self {
        let now = clock.now();
        let (cert, session_key) = keys::newcomer(now);
        Self {
            carrier,
            application: certificate::parse_secret(&bundle.secret_key.0).unwrap(),
            server: certificate::parse(&bundle.server_certificate.0).unwrap(),
            bundle: bundle.clone(),
            cert,
            session_key,
            ephemeral: certificate::generate_software("once", now, Some(3600)).unwrap(),
            clock,
        }
    }

    pub(crate) fn hello(&self) -> Sealed {
        self.hello_of(None)
    }

    /// Of a copy that says it is of this version.
    pub(crate) fn hello_of(&self, version: Option<&str>) -> Sealed {
        let body = Hello {
            ephemeral: Binary(certificate::to_bytes(&self.ephemeral).unwrap()),
            commitment: certificate::commitment(&self.cert).unwrap(),
            nonce: Nonce::new(&SystemRandom).unwrap(),
            version: version.map(|version| version.parse().unwrap()),
        };
        self.seal(&self.message(&body), vec![keys::primary(&self.application)])
    }

    pub(crate) fn greeted(&self, hello: &Sealed, reply: &[u8]) -> Result<Greeted, OpenError> {
        let verified = open_reply(reply, &self.ephemeral, &self.server, hello, self.clock.now())?;
        let heard = Transcript::enrolment().then(hello.literal());
        if verified.message().transcript != Some(heard.digest()) {
            return Err(OpenError::NotOurAnswer("another handshake"));
        }
        let reply: HelloReply = verified.body().map_err(|error| OpenError::Malformed(error.to_string()))?;
        Ok(Greeted { transcript: heard.then(verified.literal()).digest(), reply })
    }

    pub(crate) fn key_body(&self, greeted: &Greeted, token: Option<&str>) -> InstanceKey {
        InstanceKey {
            certificate: Binary(certificate::to_bytes(&self.cert).unwrap()),
            server_nonce: greeted.reply.server_nonce,
            token: token.map(str::to_owned),
            claimed_hostname: "lab-3".into(),
            key_store: KeyStore::Sealed,
        }
    }

    pub(crate) fn instance_key(&self, greeted: &Greeted, token: Option<&str>) -> Sealed {
        let message = self.message(&self.key_body(greeted, token)).with_transcript(greeted.transcript);
        self.seal(&message, vec![keys::primary(&self.application), keys::primary(&self.cert)])
    }

    /// The record, compared field by field with what was sent (W6).
    pub(crate) fn enrolled(
        &self,
        greeted: &Greeted,
        sent: &Sealed,
        reply: &[u8],
    ) -> Result<EnrolmentRecord, OpenError> {
        let verified = open_reply(reply, &self.cert, &self.server, sent, self.clock.now())?;
        self.own_record(greeted, sent, &verified)
    }

    pub(crate) fn own_record(
        &self,
        greeted: &Greeted,
        sent: &Sealed,
        verified: &Verified,
    ) -> Result<EnrolmentRecord, OpenError> {
        let transcript = Transcript::resume(greeted.transcript).then(sent.literal()).digest();
        let record: EnrolmentRecord =
            verified.body().map_err(|error| OpenError::Malformed(error.to_string()))?;
        let ours = record.instance == certificate::fingerprint(&self.cert).unwrap()
            && record.application == self.bundle.application
            && record.transcript == transcript
            && verified.message().transcript == Some(transcript);
        if ours { Ok(record) } else { Err(OpenError::NotOurAnswer("a record of another key")) }
    }

    /// The whole handshake.
    pub(crate) fn enrol(self, token: Option<&str>) -> Host {
        self.try_enrol(token).unwrap().unwrap()
    }

    /// The same, when the server may die or refuse.
    pub(crate) fn try_enrol(self, token: Option<&str>) -> Result<Result<Host, Answer>, Lost> {
        let hello = self.hello();
        let answer = self.carrier.carry(hello.bytes())?;
        if answer.status != 200 {
            return Ok(Err(answer));
        }
        let greeted = self.greeted(&hello, &answer.body).unwrap();
        let key = self.instance_key(&greeted, token);
        let answer = self.carrier.carry(key.bytes())?;
        if answer.status != 200 {
            return Ok(Err(answer));
        }
        let record = self.enrolled(&greeted, &key, &answer.body).unwrap();
        Ok(Ok(Host::new(self, record)))
    }

    pub(crate) fn message<B: countersign_protocol::message::Body>(&self, body: &B) -> Message {
        let audience = certificate::fingerprint(&self.server).unwrap();
        Message::new(MessageId::new(&SystemRandom).unwrap(), self.clock.now(), audience, body).unwrap()
    }

    pub(crate) fn seal(&self, message: &Message, signers: Vec<envelope::BoxedSigner>) -> Sealed {
        envelope::seal(message, signers, &self.server, self.clock.now()).unwrap()
    }
}
