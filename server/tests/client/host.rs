//! An enrolled host.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Clock;
use countersign_protocol::envelope::{self, BoxedSigner, Sealed, Verified, VerifiedRoster, open_roster};
use countersign_protocol::ids::{Digest, Fingerprint, LoginName, MessageId};
use countersign_protocol::ledger::{LedgerKey, check_receipt};
use countersign_protocol::message::{
    Body, CheckIn, CheckInReply, EnrolmentRecord, JobReply, JobRequest, KeyStore, KeyUpdate, Message,
    OfflineUse, RegistrationCode, RegistrationCodeReply, RegistrationMethod, RegistrationRecord,
    RegistrationReply, RegistrationRequest, RotationKey, RotationRecord, RotationReply, RotationRequest,
    Transcript, UserKey, Watch, WatchReply,
};
use countersign_protocol::random::SystemRandom;
use countersign_protocol::roster::{RosterEntry, SignedRoster};
use countersign_protocol::statement::Statement;
use countersign_server::doors::openpgp::OpenPgpDoor;
use countersign_server_core::core::Core;

use super::carrier::{Answer, Carrier, Direct, Lost};
use super::newcomer::Newcomer;
use super::person::Person;
use super::{keys, open_reply};

/// A host with its keys in software.
pub(crate) struct Host {
    pub(crate) carrier: Arc<dyn Carrier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) server: Cert,
    pub(crate) cert: Cert,
    pub(crate) session_key: Fingerprint,
    pub(crate) record: EnrolmentRecord,
    pub(crate) ledger_key: LedgerKey,
    /// The last one used.
    pub(crate) counter: AtomicU64,
}

/// How a registration went.
#[derive(Debug)]
pub(crate) enum Registered {
    Done(RegistrationRecord),
    WrongCode,
    Refused(Answer),
}

/// A registration whose code was right.
pub(crate) struct Accepted {
    pub(crate) registration: MessageId,
    pub(crate) transcript: countersign_protocol::ids::Digest,
    pub(crate) server_nonce: countersign_protocol::ids::Nonce,
}

impl Host {
    pub(super) fn new(newcomer: Newcomer, record: EnrolmentRecord) -> Self {
        let Newcomer { carrier, clock, server, cert, session_key, .. } = newcomer;
        let ledger_key: LedgerKey = record.ledger_key.parse().unwrap();
        let proven = check_receipt(&record.receipt, &ledger_key).unwrap();
        assert_eq!(proven.entry().instance.as_ref(), Some(&record.instance));
        Self { carrier, clock, server, cert, session_key, record, ledger_key, counter: AtomicU64::new(0) }
    }

    /// What a copy of its disk makes.
    pub(crate) fn copy(&self) -> Self {
        Self {
            carrier: self.carrier.clone(),
            clock: self.clock.clone(),
            server: self.server.clone(),
            cert: self.cert.clone(),
            session_key: self.session_key.clone(),
            record: self.record.clone(),
            ledger_key: self.ledger_key.clone(),
            counter: AtomicU64::new(self.counter.load(Ordering::SeqCst)),
        }
    }

    /// The same host, asking another process of its server.
    pub(crate) fn through(self, core: Arc<Core>) -> Self {
        Self { carrier: Arc::new(Direct(OpenPgpDoor::new(core))), ..self }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        certificate::fingerprint(&self.cert).unwrap()
    }

    pub(crate) fn server_fingerprint(&self) -> Fingerprint {
        certificate::fingerprint(&self.server).unwrap()
    }

    pub(crate) fn message<B: Body>(&self, body: &B) -> Message {
        let id = MessageId::new(&SystemRandom).unwrap();
        Message::new(id, self.clock.now(), self.server_fingerprint(), body).unwrap()
    }

    pub(crate) fn session_signer(&self) -> BoxedSigner {
        keys::signer(&self.cert, &self.session_key)
    }

    pub(crate) fn seal(&self, message: &Message) -> Sealed {
        self.seal_as(message, self.session_signer())
    }

    pub(crate) fn seal_as(&self, message: &Message, signer: BoxedSigner) -> Sealed {
        envelope::seal(message, vec![signer], &self.server, self.clock.now()).unwrap()
    }

    pub(crate) fn send(&self, sealed: &Sealed) -> Answer {
        self.carrier.carry(sealed.bytes()).unwrap()
    }

    pub(crate) fn open(&self, request: &Sealed, answer: &Answer) -> Verified {
        assert_eq!(answer.status, 200, "expected a reply: {}", String::from_utf8_lossy(&answer.body));
        open_reply(&answer.body, &self.cert, &self.server, request, self.clock.now()).unwrap()
    }

    /// Sends a body and opens the reply.
    pub(crate) fn ask<B: Body>(&self, body: &B) -> Verified {
        let sealed = self.seal(&self.message(body));
        self.open(&sealed, &self.send(&sealed))
    }

    pub(crate) fn check_in(&self, counter: u64, ledger_size: u64, logins: &[&str]) -> CheckInReply {
        let logins = logins.iter().map(|login| login.parse::<LoginName>().unwrap()).collect();
        self.counter.fetch_max(counter, Ordering::SeqCst);
        self.ask(&CheckIn {
            server_certificate: None,
            counter,
            ledger_size,
            logins,
            services: Vec::new(),
            version: None,
        })
        .body()
        .unwrap()
    }

    /// The roster in a reply, opened as an honest host does.
    pub(crate) fn roster(&self, reply: &CheckInReply) -> VerifiedRoster {
        open_roster(&reply.roster, &self.server, &self.fingerprint(), self.clock.now()).unwrap()
    }

    /// Checks in, and asks what holds without the server.
    pub(crate) fn check_in_for(&self, counter: u64, logins: &[&str], services: &[&str]) -> CheckInReply {
        let logins = logins.iter().map(|login| login.parse().unwrap()).collect();
        let services = services.iter().map(|service| service.parse().unwrap()).collect();
        self.counter.fetch_max(counter, Ordering::SeqCst);
        self.ask(&CheckIn {
            server_certificate: None,
            counter,
            ledger_size: 0,
            logins,
            services,
            version: None,
        })
        .body()
        .unwrap()
    }

    /// The question whether there is anything else than `revision` to tell.
    pub(crate) fn watch(&self, revision: Digest, logins: &[&str], services: &[&str]) -> Sealed {
        let logins = logins.iter().map(|login| login.parse().unwrap()).collect();
        let services = services.iter().map(|service| service.parse().unwrap()).collect();
        self.seal(&self.message(&Watch { revision, logins, services }))
    }

    /// Sends it, waits, and says whether something changed.
    pub(crate) fn waits(&self, watch: &Sealed) -> bool {
        let WatchReply { changed } = self.open(watch, &self.send(watch)).body().unwrap();
        changed
    }

    /// Checks in, and looks at what the roster says.
    pub(crate) fn entries(&self, counter: u64, logins: &[&str]) -> Vec<RosterEntry> {
        self.roster(&self.check_in(counter, 0, logins)).roster().entries.clone()
    }

    /// New session keys of `life` seconds, announced by the primary key with the next counter.
    pub(crate) fn key_update(&mut self, life: Option<u64>) -> Answer {
        let counter = self.counter.fetch_add(1, Ordering::SeqCst) + 1;
        self.key_update_counted(counter, life)
    }

    /// The same with this counter.
    pub(crate) fn key_update_counted(&mut self, counter: u64, life: Option<u64>) -> Answer {
        let (cert, session_key, sealed) = self.key_update_sealed(counter, life);
        let answer = self.send(&sealed);
        if answer.status == 200 {
            (self.cert, self.session_key) = (cert, session_key);
            self.open(&sealed, &answer);
        }
        answer
    }

    /// The same, not sent yet: the certificate, its session key, and what announces them.
    pub(crate) fn key_update_sealed(&self, counter: u64, life: Option<u64>) -> (Cert, Fingerprint, Sealed) {
        let (cert, session_key) = keys::with_session_key(&self.cert, self.clock.now(), life);
        let body = KeyUpdate { certificate: Binary(certificate::to_bytes(&cert).unwrap()), counter };
        let sealed = self.seal_as(&self.message(&body), keys::primary(&self.cert));
        (cert, session_key, sealed)
    }

    /// What announces a new key.
    pub(crate) fn rotation_request(&self, new: &Cert) -> Sealed {
        let commitment = certificate::commitment(new).unwrap();
        self.seal(&self.message(&RotationRequest { commitment }))
    }

    /// The chain after the reply to a request, and the nonce in it.
    pub(crate) fn rotation_begun(&self, request: &Sealed, answer: &Answer) -> (Digest, RotationReply) {
        let verified = self.open(request, answer);
        let heard = Transcript::rotation().then(request.literal());
        assert_eq!(verified.message().transcript, Some(heard.digest()));
        (heard.then(verified.literal()).digest(), verified.body().unwrap())
    }

    /// The new key, signed for by the old one and by itself.
    pub(crate) fn rotation_key(&self, new: &Cert, (transcript, reply): &(Digest, RotationReply)) -> Sealed {
        let body = RotationKey {
            certificate: Binary(certificate::to_bytes(new).unwrap()),
            server_nonce: reply.server_nonce,
            counter: self.counter.fetch_add(1, Ordering::SeqCst) + 1,
            key_store: KeyStore::Sealed,
        };
        let message = self.message(&body).with_transcript(*transcript);
        let signers = vec![keys::primary(&self.cert), keys::primary(new)];
        envelope::seal(&message, signers, &self.server, self.clock.now()).unwrap()
    }

    /// The whole rotation; the host as it is from then on.
    pub(crate) fn rotate(&self) -> (Self, RotationRecord) {
        let (new, session_key) = keys::newcomer(self.clock.now());
        let request = self.rotation_request(&new);
        let begun = self.rotation_begun(&request, &self.send(&request));
        let sealed = self.rotation_key(&new, &begun);
        let rotated = Self { cert: new, session_key, ..self.copy() };
        let reply = rotated.open(&sealed, &self.send(&sealed));
        let sent = Transcript::resume(begun.0).then(sealed.literal()).digest();
        let record: RotationRecord = reply.body().unwrap();
        assert_eq!(reply.message().transcript, Some(sent));
        assert_eq!((&record.instance, &record.retired), (&rotated.fingerprint(), &self.fingerprint()));
        assert_eq!(record.transcript, sent);
        check_receipt(&record.receipt, &self.ledger_key).unwrap().answers(&sealed.id(), None).unwrap();
        (rotated, record)
    }

    /// A statement of `person` on this host.
    pub(crate) fn statement(&self, person: &Person, operation: &str, resource: &str) -> Statement {
        person.statement(
            operation,
            resource,
            &self.fingerprint(),
            &self.server_fingerprint(),
            self.clock.now(),
        )
    }

    /// What the host tells of a login of `person` that it let in by `roster`.
    pub(crate) fn offline_use(
        &self,
        person: &Person,
        statement: &Statement,
        roster: &SignedRoster,
        use_number: u32,
    ) -> OfflineUse {
        OfflineUse {
            statement: person.sign(statement),
            roster: roster.clone(),
            use_number,
            at: self.clock.now(),
            correlation: "7K3M-Q2ZD".parse().unwrap(),
            account: person.account.clone(),
            login: statement.login.clone().unwrap(),
            service: statement.service.clone().unwrap(),
            card: "FFFE:00000001".parse().unwrap(),
        }
    }

    /// Signs, countersigns, sends, opens, and checks the receipt.
    pub(crate) fn job(
        &self,
        person: &Person,
        operation: &str,
        resource: &str,
        body: Option<&[u8]>,
    ) -> JobReply {
        let mut statement = self.statement(person, operation, resource);
        statement.body = body.map(countersign_protocol::ids::Digest::of);
        self.request(person, &statement, body)
    }

    /// `open-session` here, for `login`.
    pub(crate) fn log_in(&self, person: &Person, login: &str) -> JobReply {
        self.request(person, &self.session(person, login), None)
    }

    /// What a person signs who logs in here as `login`.
    pub(crate) fn session(&self, person: &Person, login: &str) -> Statement {
        let resource = format!("session/{}", self.fingerprint());
        let mut statement = self.statement(person, "open-session", &resource);
        statement.login = Some(login.parse().unwrap());
        statement.service = Some("sshd".parse().unwrap());
        statement
    }

    pub(crate) fn request(&self, person: &Person, statement: &Statement, body: Option<&[u8]>) -> JobReply {
        let body = body.map(|body| Binary(body.to_vec()));
        let sealed = self.seal(&self.message(&JobRequest { signed: person.sign(statement), body }));
        let reply: JobReply = self.open(&sealed, &self.send(&sealed)).body().unwrap();
        let proven = check_receipt(&reply.receipt, &self.ledger_key).unwrap();
        let signed = countersign_protocol::ids::Digest::of(&statement.to_bytes().unwrap());
        proven.answers(&sealed.id(), Some(&signed)).unwrap();
        reply
    }

    /// Whether a code is accepted together with what an authenticator program shows.
    pub(crate) fn offers_both(&self, person: &Person, code: &str, totp: &str) -> bool {
        self.offer(person, code, Some(totp), None).unwrap().is_some()
    }

    /// Request and code: the chain up to an accepted code, or None for a rejected one.
    pub(crate) fn offer_code(&self, person: &Person, code: &str) -> Result<Option<Accepted>, Lost> {
        self.offer(person, code, None, None)
    }

    /// The same with a recovery code.
    pub(crate) fn offer_paper(&self, person: &Person, paper: &str) -> Option<Accepted> {
        self.offer(person, paper, None, Some(RegistrationMethod::Recovery)).unwrap()
    }

    fn offer(
        &self,
        person: &Person,
        code: &str,
        totp: Option<&str>,
        method: Option<RegistrationMethod>,
    ) -> Result<Option<Accepted>, Lost> {
        let commitment = certificate::commitment(&person.cert).unwrap();
        let body = RegistrationRequest { account: person.account.clone(), commitment, method };
        let request = self.seal(&self.message(&body));
        let verified = self.open(&request, &self.carrier.carry(request.bytes())?);
        let reply: RegistrationReply = verified.body().unwrap();
        let heard = Transcript::registration().then(request.literal());
        assert_eq!(verified.message().transcript, Some(heard.digest()));
        let chain = heard.then(verified.literal());

        let totp = totp.map(str::to_owned);
        let body = RegistrationCode { registration: reply.registration, code: code.into(), totp };
        let sent = self.seal(&self.message(&body).with_transcript(chain.digest()));
        let verified = self.open(&sent, &self.carrier.carry(sent.bytes())?);
        let heard = chain.then(sent.literal());
        assert_eq!(verified.message().transcript, Some(heard.digest()));
        Ok(match verified.body().unwrap() {
            RegistrationCodeReply::Accepted { server_nonce } => Some(Accepted {
                registration: reply.registration,
                transcript: heard.then(verified.literal()).digest(),
                server_nonce,
            }),
            RegistrationCodeReply::Rejected => None,
        })
    }

    /// The card's proof for an accepted code.
    pub(crate) fn proof(&self, person: &Person, accepted: &Accepted) -> Statement {
        let mut proof = self.statement(person, "bind-key", &format!("account/{}", person.account));
        proof.transcript = Some(accepted.transcript);
        proof.nonce = accepted.server_nonce;
        proof
    }

    pub(crate) fn user_key(&self, person: &Person, accepted: &Accepted) -> Sealed {
        let body = UserKey {
            registration: accepted.registration,
            certificate: Binary(certificate::to_bytes(&person.cert).unwrap()),
            proof: person.sign(&self.proof(person, accepted)),
            authentication: certificate::authentication_keys(&person.cert, self.clock.now()).pop(),
            card: Some(person.card),
        };
        self.seal(&self.message(&body).with_transcript(accepted.transcript))
    }

    /// The whole registration.
    pub(crate) fn register(&self, person: &Person, code: &str) -> Result<Registered, Lost> {
        let accepted = self.offer_code(person, code)?;
        accepted.map_or(Ok(Registered::WrongCode), |accepted| self.brings_key(person, &accepted))
    }

    /// The whole of one by another method.
    pub(crate) fn register_by(
        &self,
        person: &Person,
        code: &str,
        method: RegistrationMethod,
    ) -> Result<Registered, Lost> {
        let accepted = self.offer(person, code, None, Some(method))?;
        accepted.map_or(Ok(Registered::WrongCode), |accepted| self.brings_key(person, &accepted))
    }

    fn brings_key(&self, person: &Person, accepted: &Accepted) -> Result<Registered, Lost> {
        let sealed = self.user_key(person, accepted);
        let answer = self.carrier.carry(sealed.bytes())?;
        if answer.status != 200 {
            return Ok(Registered::Refused(answer));
        }
        let record: RegistrationRecord = self.open(&sealed, &answer).body().unwrap();
        let transcript = Transcript::resume(accepted.transcript).then(sealed.literal()).digest();
        assert_eq!(record.transcript, transcript);
        assert_eq!(record.certificate, certificate::fingerprint(&person.cert).unwrap());
        let signed: UserKey = serde_json::from_value(sealed_body(&sealed)).unwrap();
        let signed = countersign_protocol::ids::Digest::of(&signed.proof.statement.0);
        let proven = check_receipt(&record.receipt, &self.ledger_key).unwrap();
        proven.answers(&sealed.id(), Some(&signed)).unwrap();
        Ok(Registered::Done(record))
    }
}

fn sealed_body(sealed: &Sealed) -> serde_json::Value {
    Message::from_bytes(sealed.literal()).unwrap().body
}
