//! A person's card becomes the key of an account.
//!
//! ```text
//! registration-request ────▶ commits to the certificate
//! registration-code    ────▶ the code an administrator handed over, or one that the server sent
//!                      ◀──── accepted, with a nonce
//! user-key             ────▶ the certificate, and a bind-key statement over all of this, signed by the card
//!                      ◀──── registration-record: compared, receipt checked
//! ```

mod alone;
mod key;

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate;
use countersign_protocol::ids::{AccountName, InvalidId, Nonce};
use countersign_protocol::ipc::{NoteKind, OneTimeCode, ProblemKind, Register, RegisterKey, Registered};
use countersign_protocol::key_words::key_words;
use countersign_protocol::limits;
use countersign_protocol::message::{
    HostEventKind, RegistrationCode, RegistrationCodeReply, RegistrationMethod, RegistrationRecord,
    RegistrationReply, RegistrationRequest, Transcript, UserKey,
};
use countersign_protocol::statement::{Purpose, SignedStatement, Statement};

use self::key::CardKey;
pub(crate) use self::key::CardKey as NewKey;
use crate::agent::Agent;
use crate::card::{Ask, Asker, CardError, Entered, PinKind};
use crate::known::KnownKey;
use crate::peer::Peer;
use crate::person::Person;
use crate::reach::Patience;
use crate::server_link::{Exchange, Link};
use crate::server_time::Answers;
use crate::session::Choice;
use crate::trouble::{Trouble, sentence};
use crate::wire::LinkError;
use crate::{card_choice, card_pins};

/// Of a key that a card brings along.
const SLOW: &str =
    "This is an RSA-4096 key: each login takes seconds on most cards. curve25519 does not, and is no weaker.";

/// Between two tries to reach a server that does not answer.
const AGAIN: Duration = Duration::from_secs(2);

/// Answers one [`Register`].
///
/// # Errors
/// [`Trouble`].
pub fn register(
    agent: &Agent,
    peer: &Peer,
    ask: &Register,
    person: &mut Person,
) -> Result<Registered, Trouble> {
    let link = agent.ready_link(person.deadline())?;
    let card = choose_card(agent, ask, person)?;
    let asker = peer.asker();
    let key = match &ask.key {
        RegisterKey::Generate { algorithm } => {
            key::generate(agent, &asker, &ask.account, &card, algorithm, person)?
        }
        RegisterKey::Adopt { certificate } => {
            let key = key::adopt(agent, &asker, &card, &certificate.0, person)?;
            if key.is_slow() {
                person.note(NoteKind::Info, SLOW);
            }
            key
        }
    };
    let (account, known_code) = (&ask.account, ask.code.as_ref());
    let method = ask.method.as_ref();
    let registration = Registration { agent, link, account, card, key, asker, known_code, method };
    let (record, index) = registration.run(person)?;
    agent.made_keys.forget(registration.card.card)?;
    // Of a recovery, the key is nobody's before it is completed.
    if record.recovery.is_none() {
        agent.known.add(KnownKey {
            account: record.account.clone(),
            certificate: Binary(certificate::to_bytes(&registration.key.certificate)?),
            key: registration.key.signing_key.clone(),
        })?;
    }
    let registered = Registered {
        account: record.account,
        card: registration.card.card,
        key_words: key_words(&record.certificate),
        certificate: record.certificate,
        ledger_index: index,
        emergency_code: record.emergency_code,
        recovery_code: record.recovery_code,
        recovery: record.recovery,
    };
    agent.log.notice(
        "registered",
        &[("account", registered.account.as_str()), ("card", &registered.card.to_string())],
    );
    // The roster has the new key at once, if the server answers; else at the next check-in.
    let _ = agent.keeper.freshen(Instant::now() + limits::SERVER_ANSWER);
    Ok(registered)
}

/// Whose key it will be.
fn choose_card(agent: &Agent, ask: &Register, person: &mut Person) -> Result<Choice, Trouble> {
    let insert = format!("Insert the card for {}.", ask.account);
    let seen = card_choice::choose(agent, ask.card, &insert, person)?;
    let card = seen.ident.ok_or(CardError::NoCard)?;
    Ok(Choice { card, name: seen.name(), account: ask.account.clone(), touch: seen.touch })
}

struct Registration<'a> {
    agent: &'a Agent,
    link: Arc<Link>,
    account: &'a AccountName,
    card: Choice,
    key: CardKey,
    asker: Asker,
    known_code: Option<&'a OneTimeCode>,
    method: Option<&'a RegistrationMethod>,
}

impl Registration<'_> {
    fn run(&self, person: &mut Person) -> Result<(RegistrationRecord, u64), Trouble> {
        let request = RegistrationRequest {
            account: self.account.clone(),
            commitment: certificate::commitment(&self.key.certificate)?,
            method: self.method.cloned(),
        };
        let asked = self.ask(&request)?;
        let heard = Transcript::registration().then(asked.sealed.literal());
        check_transcript(&asked, heard)?;
        let reply: RegistrationReply = asked.reply.body()?;
        let begun = heard.then(asked.reply.literal());
        if let Some(method) = self.method {
            self.begun_alone(method, &request, &reply, person)?;
        }

        let (server_nonce, accepted) = self.code(&reply, begun, person)?;
        let transcript = accepted.digest();
        let proof = self.bind_key(server_nonce, accepted, person)?;
        let proof_digest = countersign_protocol::ids::Digest::of(&proof.statement.0);
        let body = UserKey {
            registration: reply.registration,
            certificate: Binary(certificate::to_bytes(&self.key.certificate)?),
            proof,
            authentication: self.key.authentication_key.clone(),
            card: Some(self.card.card),
        };
        let exchange = self.ask_on(&body, transcript, person)?;
        let sent = accepted.then(exchange.sealed.literal());
        check_transcript(&exchange, sent)?;
        let record: RegistrationRecord = exchange.reply.body()?;
        let proven = self.link.prove(&record.receipt)?;
        proven.answers(&exchange.sealed.id(), Some(&proof_digest))?;
        let primary = certificate::fingerprint(&self.key.certificate)?;
        for (same, what) in [
            (record.account == *self.account, "account"),
            (record.certificate == primary, "certificate"),
            (record.transcript == sent.digest(), "handshake"),
            (proven.entry().account.as_ref() == Some(self.account), "account in the ledger"),
            (proven.entry().key.as_ref() == Some(&primary), "key in the ledger"),
        ] {
            if !same {
                return Err(
                    LinkError::Untrusted(format!("the registration record names another {what}")).into()
                );
            }
        }
        Ok((record, proven.index()))
    }

    /// Asks for the code until it is right or the tries are used up.
    fn code(
        &self,
        reply: &RegistrationReply,
        begun: Transcript,
        person: &mut Person,
    ) -> Result<(Nonce, Transcript), Trouble> {
        for left in (0..limits::CODE_TRIES).rev() {
            let (code, totp) = match self.known_code {
                Some(code) => (code.expose().to_owned(), None),
                None => self.typed_code(person)?,
            };
            let body = RegistrationCode { registration: reply.registration, code, totp };
            let exchange = self.ask_on(&body, begun.digest(), person)?;
            let heard = begun.then(exchange.sealed.literal());
            check_transcript(&exchange, heard)?;
            match exchange.reply.body()? {
                RegistrationCodeReply::Accepted { server_nonce } => {
                    return Ok((server_nonce, heard.then(exchange.reply.literal())));
                }
                RegistrationCodeReply::Rejected if self.known_code.is_some() => break,
                RegistrationCodeReply::Rejected if left > 0 => {
                    person.note(
                        NoteKind::Error,
                        &format!("The server did not accept the code. Tries left: {left}."),
                    );
                }
                RegistrationCodeReply::Rejected => {}
            }
        }
        let text = match self.method {
            None => {
                "The server did not accept the code: wrong, used, too old, or for another account. Ask your administrator for a new one; the keys on the card are kept for it."
            }
            Some(RegistrationMethod::Recovery) => {
                "The server did not accept the recovery code: mistyped, used, replaced by a newer one, or of another account. It looks at five codes an hour from one host: wait an hour, or go to another host. Nothing on the paper is used up; the keys on the card are kept for it."
            }
            Some(_) => {
                "The server did not accept the code five times; it is worth nothing any more. Run the same command again for a new one; the keys on the card are kept for it."
            }
        };
        Err(Trouble::new(ProblemKind::Refused, text))
    }

    /// Has the card sign that it holds this key, in this handshake and no other.
    fn bind_key(
        &self,
        server_nonce: Nonce,
        accepted: Transcript,
        person: &mut Person,
    ) -> Result<SignedStatement, Trouble> {
        let resource = format!("account/{}", self.account);
        sign_by(self.agent, &self.link, &self.card, &self.key, &self.asker, person, |statement| {
            statement.operation = "bind-key".parse()?;
            statement.resource = resource.parse()?;
            statement.nonce = server_nonce;
            statement.transcript = Some(accepted.digest());
            Ok(())
        })
    }

    fn ask<B: countersign_protocol::message::Body>(&self, body: &B) -> Result<Exchange, Trouble> {
        let means = self.agent.means(Patience::until(Instant::now() + limits::SERVER_ANSWER));
        Ok(self.link.ask(means, body, None)?)
    }

    /// Asks on in the handshake. A code counts each time it is sent, so that no message is made anew: the same one is sent
    /// again while nobody answers, as to a server that is being started anew.
    fn ask_on<B: countersign_protocol::message::Body>(
        &self,
        body: &B,
        transcript: countersign_protocol::ids::Digest,
        person: &mut Person,
    ) -> Result<Exchange, Trouble> {
        let means = || self.agent.means(Patience::until(Instant::now() + limits::SERVER_ANSWER));
        let sealed = self.link.seal(means(), body, Some(transcript))?;
        let until = Instant::now() + limits::REGISTRATION_PATIENCE;
        let mut told = false;
        loop {
            match self.link.send(means(), Answers::Fresh, &sealed) {
                Ok(reply) => return Ok(Exchange { sealed, reply }),
                Err(LinkError::Unreachable(_)) if Instant::now() < until && !person.is_gone() => {
                    if !told {
                        person
                            .note(NoteKind::Info, "The server cannot be reached; trying again for a while.");
                    }
                    told = true;
                    std::thread::sleep(AGAIN);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Has a card sign with a key that is not an account's yet; `what` fills in the statement.
///
/// # Errors
/// [`Trouble`].
pub(crate) fn sign_by(
    agent: &Agent,
    link: &Link,
    card: &Choice,
    key: &CardKey,
    asker: &Asker,
    person: &mut Person,
    what: impl FnOnce(&mut Statement) -> Result<(), InvalidId>,
) -> Result<SignedStatement, Trouble> {
    let pins = agent.cards.turn(card.card, asker, person)?.cards().pins(card.card)?;
    let entered = match &key.pin {
        Some(pin) => Entered::typed(pin.clone(), pins.tries(PinKind::User), false),
        None => card_pins::ask_held(person, PinKind::User, &card.name, pins)?,
    };
    let mut turn = agent.cards.turn(card.card, asker, person).map_err(|error| told(agent, card, &error))?;
    let now = agent.wire.time.now();
    let mut statement = Statement {
        countersign: Purpose::Statement,
        dry_run: false,
        operation: "bind-key".parse()?,
        resource: format!("account/{}", card.account).parse()?,
        account: card.account.clone(),
        login: None,
        service: None,
        claimed: None,
        place: None,
        instance: link.instance.fingerprint.clone(),
        server: link.server.fingerprint.clone(),
        time: now,
        expires: now.plus(limits::STATEMENT_LIFE),
        nonce: Nonce::new(agent.random.as_ref())?,
        body: None,
        approves: None,
        transcript: None,
    };
    what(&mut statement)?;
    let ask = Ask {
        card: card.card,
        certificate: &key.certificate,
        key: &key.signing_key,
        tries_shown: pins.tries(PinKind::User),
        allow_last_try: entered.may_be_last(),
    };
    if card.touch {
        turn.note(&format!("Touch {} to confirm the registration for {}.", card.name, card.account));
    }
    turn.cards()
        .sign_statement(&ask, entered.pin().clone(), &statement)
        .map_err(|error| told(agent, card, &error))
}

/// A wrong PIN or a pulled card is in the ledger wherever it happens.
fn told(agent: &Agent, card: &Choice, error: &CardError) -> Trouble {
    let message = sentence(&error.to_string());
    let event = match error {
        CardError::WrongPin { tries: 0 } | CardError::Blocked => Some(HostEventKind::CardBlocked),
        CardError::WrongPin { .. } => Some(HostEventKind::WrongPin),
        CardError::Gone | CardError::Swapped { .. } => Some(HostEventKind::CardPulled),
        CardError::PinTaken => Some(HostEventKind::PinTaken),
        CardError::BadSignature => Some(HostEventKind::BadSignature),
        CardError::Twice(_) => Some(HostEventKind::CardTwice),
        _ => None,
    };
    let Ok(correlation) = agent.correlation() else {
        return Trouble::new(ProblemKind::Card, message);
    };
    if let Some(event) = event {
        agent.report_card(event, correlation.clone(), Some(card), &message);
    }
    Trouble::new(ProblemKind::Card, message).known_as(correlation)
}

fn check_transcript(exchange: &Exchange, expected: Transcript) -> Result<(), Trouble> {
    if exchange.reply.message().transcript == Some(expected.digest()) {
        return Ok(());
    }
    Err(LinkError::Untrusted("it belongs to another handshake".to_owned()).into())
}
