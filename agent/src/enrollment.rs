//! This host becomes an instance of a server.
//!
//! ```text
//! hello ────▶ commits to the instance's certificate, brings a one-time key
//!       ◀──── hello-reply: server nonce, sealed to the one-time key
//! instance-key ────▶ the certificate, signed by the application and by its own primary key
//!       ◀──── enrolment-record: compared field by field, receipt checked
//! ```
//! Each envelope is on disk before it is sent. An enrolment that was interrupted goes on with the same bytes when
//! the same request comes again while the handshake lives; the server answers them with the same reply.

mod host_card;
mod host_key;
mod unfinished;

use std::time::Instant;

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::envelope::{self, Sealed, Verified};
use countersign_protocol::ids::{Fingerprint, MessageId};
use countersign_protocol::ipc::{Enroll, Enrolled, NoteKind, ProblemKind};
use countersign_protocol::key_words::key_words;
use countersign_protocol::ledger::{LedgerKey, check_receipt};
use countersign_protocol::limits;
use countersign_protocol::message::{
    EnrolmentRecord, Hello, HelloReply, InstanceKey, KeyStore, Message, Transcript,
};

use self::host_key::hostname;
use self::unfinished::Unfinished;
use crate::agent::Agent;
use crate::check_in::Contact;
use crate::instance_key::{BACKDATE, Primary, SessionKeys};
use crate::limits::OneAtATime;
use crate::person::Person;
use crate::reach::Patience;
use crate::server_link::{INSTANCE, Instance, Link};
use crate::server_time::Answers;
use crate::trouble::Trouble;
use crate::vault::Slot;
use crate::wire::{LinkError, Server};

static UNDER_WAY: OneAtATime = OneAtATime::new();

/// Enrols this host.
///
/// # Errors
/// [`Trouble`]. A server other than the one named is refused before anything is sent.
pub fn enroll(agent: &Agent, ask: &Enroll, person: &mut Person) -> Result<Enrolled, Trouble> {
    let Some(_place) = UNDER_WAY.enter() else {
        return Err(Trouble::new(
            ProblemKind::Busy,
            "Another enrolment of this host is under way. Wait until it has ended, and look: countersign status.",
        ));
    };
    if agent.link().is_some() {
        // It was done between the permit and the place.
        return Err(Trouble::new(
            ProblemKind::Enrolment,
            "This host is enrolled already: countersign status.",
        ));
    }
    let url = ask.url.as_deref().unwrap_or(&ask.bundle.server_url);
    check_url(url)?;
    let server = Server::new(&ask.bundle.server_certificate.0, url)?;
    if server.fingerprint != ask.server {
        return Err(Trouble::new(
            ProblemKind::Untrusted,
            format!(
                "The bundle is of the server {}, and you named {}. Nothing was sent. Read the fingerprint again from `countersign-server init`; if it is right, this bundle is not from your server: do not use it.",
                server.fingerprint.spaced(),
                ask.server.spaced()
            ),
        ));
    }
    let application = certificate::parse_secret(&ask.bundle.secret_key.0).map_err(|error| {
        Trouble::new(ProblemKind::Usage, format!("The bundle's application key: {error}."))
    })?;
    let enrolment = Enrolment { agent, ask, server, application };

    let unfinished = match Unfinished::load(&agent.state, ask, agent.wire.time.now())? {
        Some(unfinished) => {
            person.note(NoteKind::Info, "Going on with the enrolment that was interrupted.");
            Ok(unfinished)
        }
        None => enrolment.prepare(person),
    };
    let finished = unfinished.and_then(|unfinished| enrolment.run(unfinished));
    if matches!(&finished, Err(trouble) if trouble.kind != ProblemKind::Server) {
        // Refused: the same bytes would get the same answer. Unreachable: they may be sent again.
        Unfinished::erase(&agent.state)?;
    }
    let (link, record, contact) = finished?;
    agent.contacts.set(contact)?;
    agent.state.write(INSTANCE, &link.instance)?;
    // Only now: whatever fails until here, the same bytes get the same answer once more.
    Unfinished::erase(&agent.state)?;
    Slot::erase_other_instance_keys(&agent.state, std::slice::from_ref(&record.instance))?;
    let enrolled = Enrolled {
        instance: record.instance.clone(),
        key_words: key_words(&record.instance),
        state: record.state.as_str().to_owned(),
        key_store: link.primary.in_words(),
        ledger_index: record.receipt.index,
    };
    if let Some(why) = link.primary.not_sealed() {
        agent.log.warn("not-sealed", &[("why", why)]);
    }
    agent.set_link(link);
    agent.log.notice("enrolled", &[("instance", &enrolled.instance.to_string()), ("state", &enrolled.state)]);
    // The roster is a convenience here: the next login fetches it if this fails.
    let _ = agent.keeper.freshen(Instant::now() + limits::SERVER_ANSWER);
    Ok(enrolled)
}

/// Erases what an enrolment left behind that nobody can finish any more. For the start.
///
/// # Errors
/// The state folder.
pub fn clean_up(agent: &Agent) -> Result<(), Trouble> {
    let link = agent.link();
    let stale = Unfinished::erase_stale(&agent.state, agent.wire.time.now(), link.is_some())?;
    let mut keep: Vec<Fingerprint> = link.iter().map(|link| link.instance.fingerprint.clone()).collect();
    keep.extend(Unfinished::instance(&agent.state)?);
    if Slot::erase_other_instance_keys(&agent.state, &keep)? || stale {
        agent.log.notice("enrolment-given-up", &[("what", "an unfinished enrolment's keys were erased")]);
    }
    Ok(())
}

/// What both halves need.
struct Enrolment<'a> {
    agent: &'a Agent,
    ask: &'a Enroll,
    server: Server,
    application: Cert,
}

type Finished = (Link, EnrolmentRecord, Contact);

impl Enrolment<'_> {
    /// Makes the instance's key and keeps it, and says hello with a clock that the server accepts.
    fn prepare(&self, person: &mut Person) -> Result<Unfinished, Trouble> {
        let (base, primary, key_store) = self.make_key(person)?;
        match self.say_hello(&base, &primary, &key_store) {
            Err(Trouble { kind: ProblemKind::Refused, .. }) if self.clock_was_wrong() => {
                if matches!(key_store, KeyStore::Sealed) {
                    let (base, primary, key_store) = self.make_key(person)?;
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
        };
        let message = Message::new(
            MessageId::new(agent.random.as_ref())?,
            now,
            self.server.fingerprint.clone(),
            &hello,
        )?;
        let signer = self.application_signer()?;
        let sealed = envelope::seal(&message, vec![signer], &self.server.certificate, now)?;
        let mut unfinished = Unfinished::begin(self.ask, base, &session, &ephemeral, key_store, sealed, now)?;
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
        let sealed = envelope::seal(&message, signers, &self.server.certificate, now)?;
        unfinished.go_on(sealed, transcript.digest(), body.application, body.expires);
        Ok(unfinished.keep(&agent.state)?)
    }

    /// `instance-key` and its reply.
    fn run(&self, mut unfinished: Unfinished) -> Result<Finished, Trouble> {
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
            server_certificate: self.ask.bundle.server_certificate.clone(),
            server_url: self.server.url.clone(),
            ledger_key,
            ledger_index: proven.index(),
        };
        let mut contact = Contact::new(record.state);
        contact.checkpoint = Some(proven.checkpoint().note().to_owned());
        let primary = Primary::load(&self.agent.state, &instance.fingerprint, &unfinished.key_store);
        Ok((Link::new(instance, primary, Some(session))?, record, contact))
    }

    fn exchange(
        &self,
        sealed: &Sealed,
        me: &Cert,
        decryptors: Vec<sequoia_openpgp::crypto::KeyPair>,
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

/// `http://host:port` or `https://…`, nothing else: it becomes an argument of the courier.
fn check_url(url: &str) -> Result<(), Trouble> {
    let plain = url.len() <= 512 && url.chars().all(|c| c.is_ascii_graphic());
    if plain && ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Ok(());
    }
    Err(Trouble::new(
        ProblemKind::Usage,
        format!(
            "{url:?} is not an address of a server. It looks like https://auth.example:8443 – see --url."
        ),
    ))
}
