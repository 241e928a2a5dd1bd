//! Runs a [`Session`] against real cards, the server, and the person who waits.

mod code;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::ids::{
    AccountName, CardIdent, CorrelationId, Digest, Fingerprint, LoginName, Nonce, Operation, ResourceName,
    ServiceName,
};
use countersign_protocol::ipc::NoteKind;
use countersign_protocol::roster::RosterAccount;
use countersign_protocol::statement::{Place, Purpose, SignedStatement, Statement};

use crate::agent::Agent;
use crate::answer::{self, NoAnswer, Proof, Question, Wait};
use crate::card::{Ask, Asker, CardError, CardSeen, KeptPin, Pin, Sight, Told};
use crate::card_pins;
use crate::known::KnownKey;
use crate::offline::Desk;
use crate::person::{Gone, Person};
use crate::server_link::Link;
use crate::session::{Action, Choice, Decided, Event, NotHere, Order, Session};
use crate::trouble::sentence;
use crate::wire::LinkError;

/// How long a statement lives: the way to the server, and a little.
const LIFE: i64 = 120;

/// Tries of a card that nobody mistyped on (OpenPGP card 3.4.1, 4.4.1: three, unless its maker set more).
const FULL: u8 = 3;

/// Told when the server's answer takes its time.
pub(crate) const WAITING: &str = "The server has not answered yet. It is waited for, up to 10 s in all.";

/// The same where the server may have used up what cannot be typed again.
const WAITING_FOR_CODE: &str = "The server has not answered yet. It is asked again and again, so that your code is not lost: please wait.";

/// A key that may sign this request.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Whose.
    pub account: AccountName,
    /// Where the public key is taken from.
    pub certificate: Cert,
    /// The key in the card's signature slot.
    pub key: Fingerprint,
}

impl Candidate {
    /// Of a roster's account: one for each of its keys.
    #[must_use]
    pub fn of_roster(account: &RosterAccount) -> Vec<Self> {
        let Ok(certificate) = certificate::parse(&account.certificate.0) else { return Vec::new() };
        let one = |key: &Fingerprint| Self {
            account: account.account.clone(),
            certificate: certificate.clone(),
            key: key.clone(),
        };
        account.keys.iter().map(one).collect()
    }

    /// Of a card that was registered on this host.
    #[must_use]
    pub fn of_known(known: &KnownKey) -> Option<Self> {
        let certificate = certificate::parse(&known.certificate.0).ok()?;
        Some(Self { account: known.account.clone(), certificate, key: known.key.clone() })
    }
}

/// What the card is asked to sign.
#[derive(Debug, Clone)]
pub struct Subject {
    /// What is asked.
    pub operation: Operation,
    /// On what.
    pub resource: ResourceName,
    /// For which login name.
    pub login: Option<LoginName>,
    /// By which PAM service.
    pub service: Option<ServiceName>,
    /// What the calling program says of itself.
    pub claimed: Option<String>,
    /// Where the person is.
    pub place: Option<Place>,
    /// What goes with it.
    pub body: Option<Binary>,
    /// Only tried: the server says what would come of it, and does nothing.
    pub dry_run: bool,
    /// For an approval: the statement that it is for.
    pub approves: Option<Binary>,
    /// What the person is told to quote if no answer comes.
    pub correlation: CorrelationId,
    /// The user whose program asks.
    pub uid: u32,
}

/// For a person who is asked to confirm it: `sudo for olga`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.service, &self.login) {
            (Some(service), Some(login)) => write!(f, "{service} for {login}"),
            _ => write!(f, "{} {}", self.operation, self.resource),
        }
    }
}

/// One request under way.
pub struct Drive<'a> {
    /// The agent.
    pub agent: &'a Arc<Agent>,
    /// The server.
    pub link: &'a Arc<Link>,
    /// Keys that may sign.
    pub candidates: Vec<Candidate>,
    /// Whose emergency code would do.
    pub codes: Vec<AccountName>,
    /// What is signed.
    pub subject: Subject,
    /// No other card than this, if one was named.
    pub only: Option<CardIdent>,
    /// On whose behalf a card is used, for others who want it.
    pub asker: Asker,
    /// Where it is decided if the server says nothing; for a login only.
    pub desk: Option<Desk<'a>>,
    /// Where the PIN goes that the card took, if the same card opens what comes of it; for a job only.
    pub keeps_pin: Option<&'a KeptPin>,
}

impl Drive<'_> {
    /// Runs it to its end.
    pub fn run(&self, person: &mut Person) -> Decided {
        let mut whose: Vec<AccountName> = self.candidates.iter().map(|one| one.account.clone()).collect();
        whose.sort();
        whose.dedup();
        self.look_closer(whose.len(), person);
        let (mut session, mut actions) =
            Session::begin_with_codes(&whose, self.codes.clone(), self.choices());
        loop {
            if let Session::Decided(decided) = session {
                return decided;
            }
            let mut event = None;
            for action in actions {
                event = self.carry_out(action, person);
            }
            // A step that asks nothing would wait for ever: it ends here instead.
            (session, actions) = session.step(event.unwrap_or(Event::Gone(Gone::TimedOut)));
        }
    }

    /// Before somebody is told to insert a card, those that are in are looked at once more: one may have been held by
    /// another program, or its keys changed, since it was put in.
    fn look_closer(&self, people: usize, person: &mut Person) {
        let cards = &self.agent.cards;
        if !self.choices().is_empty() {
            // Of several people's cards, each is to be offered.
            if people > 1 && self.only.is_none() && cards.list().iter().any(CardSeen::is_held) {
                cards.read_held(person);
            }
            return;
        }
        cards.settle(&|seen| self.choice(seen).is_some(), &|| person.is_gone());
        cards.read_held(person);
        if self.choices().is_empty() {
            for stranger in cards.list().iter().filter(|seen| self.may_have_changed(seen)) {
                cards.read_again(stranger, person);
            }
        }
    }

    /// Whether another program may have made it one of the cards that are wanted: not if its key is somebody else's.
    fn may_have_changed(&self, seen: &CardSeen) -> bool {
        let Some(card) = seen.ident else { return false };
        if self.link.primary().card() == Some(card) || self.only.is_some_and(|only| only != card) {
            return false;
        }
        let roster = self.agent.contacts.rosters.get();
        let mut entries = roster.iter().flat_map(|held| &held.verified.roster().entries);
        !seen.signing_key.as_ref().is_some_and(|key| {
            entries.any(|entry| entry.accounts.iter().any(|account| account.keys.contains(key)))
        })
    }

    fn carry_out(&self, action: Action, person: &mut Person) -> Option<Event> {
        Some(match action {
            Action::Note(kind, text) => {
                person.note(kind, &text);
                return None;
            }
            Action::AskShown(text) => match person.ask_shown(&text) {
                Ok(typed) => Event::Typed(typed),
                Err(gone) => Event::Gone(gone),
            },
            Action::AskHidden(text) => {
                match person.ask_hidden(&text).and_then(|typed| card_pins::secret(&typed)) {
                    Ok(secret) => match Pin::new(secret) {
                        Ok(pin) => Event::Pin(pin),
                        Err(error) => Event::NotAPin(error),
                    },
                    Err(gone) => Event::Gone(gone),
                }
            }
            Action::AskCode(text) => self.ask_code(&text, person),
            Action::WaitForCard(longest) => self.wait_for_card(longest, person),
            Action::ReadTries(card) => self.tries(card, person),
            // Nobody is there any more: a try is not spent for them.
            Action::Sign(_) | Action::Send(_) | Action::SendCode(..) | Action::DecideHere(..)
                if person.is_gone() =>
            {
                Event::Gone(Gone::Cancelled)
            }
            Action::Sign(order) => match self.sign(order, person) {
                Ok(signed) => Event::Signed(signed),
                Err(error) => Event::Card(error),
            },
            Action::Send(signed) => self.send(Proof::Card(signed), person),
            Action::SendCode(account, code) => match self.coded(&account, code) {
                Ok(coded) => self.send(Proof::Code(coded), person),
                Err(error) => Event::Server(error),
            },
            Action::DecideHere(silence, card) => match self.desk {
                Some(desk) => Event::DecidedHere(desk.decide(&silence, card).map_err(|denial| {
                    let error = silence.error().clone();
                    NotHere { error, denial }
                })),
                None => Event::Server(silence.error().clone()),
            },
        })
    }

    fn send(&self, proof: Proof, person: &mut Person) -> Event {
        let Subject { body, correlation, uid, .. } = self.subject.clone();
        let question = Question { proof, body, correlation, uid };
        let deadline = person.deadline();
        let is_brief = self.desk.is_some_and(|desk| desk.has_one_for(&question.proof));
        let waiting = if matches!(question.proof, Proof::Code(_)) { WAITING_FOR_CODE } else { WAITING };
        let mut slow = || person.note(NoteKind::Info, waiting);
        let wait = Wait { deadline, is_brief, slow: &mut slow };
        match answer::ask(self.agent, self.link, question, wait) {
            Ok(answer) => Event::Answered(answer),
            Err(NoAnswer::Silence(silence)) if self.desk.is_some() => Event::Silence(Box::new(silence)),
            Err(none) => Event::Server(none.into()),
        }
    }

    /// A full count is told from memory: should it be stale, the card is asked again before the PIN goes to
    /// it, and the person after that. A count that says something is wrong is worth a command now.
    fn tries(&self, card: CardIdent, person: &mut Person) -> Event {
        let seen = match self.agent.cards.seen(card) {
            // The PIN is not even asked for.
            Err(twice @ CardError::Twice(_)) => return Event::Card(twice),
            other => other.ok(),
        };
        match seen.and_then(|seen| seen.tries) {
            Some(tries) if tries >= FULL => Event::Tries(tries),
            _ => match self
                .agent
                .cards
                .turn(card, &self.asker, person)
                .and_then(|turn| turn.cards().tries(card))
            {
                Ok(tries) => Event::Tries(tries),
                Err(error) => Event::Card(error),
            },
        }
    }

    fn wait_for_card(&self, longest: Duration, person: &mut Person) -> Event {
        let deadline = person.deadline().min(Instant::now() + longest);
        let wanted = |seen: &CardSeen| self.choice(seen).is_some();
        let mut told = Told::default();
        loop {
            let gone = || person.is_gone();
            let note = match self.agent.cards.look_out(&wanted, &mut told, deadline, &gone) {
                Ok(Sight::Card(_)) => return Event::Cards(self.choices()),
                // Put in, and taken by another program before it could be read.
                Ok(Sight::Unusable { problem: CardError::InUse(_), .. }) => {
                    self.agent.cards.read_held(person);
                    continue;
                }
                Ok(Sight::Unusable { reader, problem: CardError::NotAnswering }) => {
                    format!("The card in {reader} does not answer. Pull it out and put it in again.")
                }
                Ok(Sight::Unusable { reader, problem }) => {
                    format!("The card in {reader} cannot be used: {problem}.")
                }
                Ok(Sight::Blind(problem)) => sentence(&problem.to_string()),
                Err(error) => return Event::Card(error),
            };
            person.note(NoteKind::Error, &note);
        }
    }

    fn choices(&self) -> Vec<Choice> {
        let mut choices: Vec<Choice> =
            self.agent.cards.list().iter().filter_map(|seen| self.choice(seen)).collect();
        // One number in two readers is no choice: it is refused when the card is to be used.
        let mut offered = BTreeSet::new();
        choices.retain(|choice| offered.insert(choice.card));
        choices
    }

    fn choice(&self, seen: &CardSeen) -> Option<Choice> {
        let card = seen.ident?;
        // The host's own card is nobody's, whatever a roster says.
        if self.link.primary().card() == Some(card) || self.only.is_some_and(|only| only != card) {
            return None;
        }
        let key = seen.signing_key.as_ref()?;
        let candidate = self.candidates.iter().find(|candidate| candidate.key == *key)?;
        Some(Choice { card, name: seen.name(), account: candidate.account.clone(), touch: seen.touch })
    }

    /// In one turn with the card, which ends when the signature is there. The person is told to touch it when
    /// it is their turn and not before: a touch belongs to one request.
    fn sign(&self, order: Order, person: &mut Person) -> Result<SignedStatement, CardError> {
        self.ask_the_time();
        let mut turn = self.agent.cards.turn(order.choice.card, &self.asker, person)?;
        let seen = self.agent.cards.list().into_iter().find(|seen| seen.ident == Some(order.choice.card));
        let seen = seen.ok_or(CardError::Gone)?;
        let key = seen.signing_key.ok_or(CardError::NoKey)?;
        let candidate = self
            .candidates
            .iter()
            .find(|candidate| candidate.key == key && candidate.account == order.choice.account)
            .ok_or(CardError::Gone)?;
        let statement =
            self.statement(&candidate.account).map_err(|error| CardError::OpenPgp(error.to_string()))?;
        let ask = Ask {
            card: order.choice.card,
            certificate: &candidate.certificate,
            key: &candidate.key,
            tries_shown: order.tries_shown,
            allow_last_try: order.allow_last_try,
        };
        if seen.touch {
            turn.note(&format!("Touch {} to confirm {}.", order.choice.name, self.subject));
        }
        let kept = self.keeps_pin.map(|keeper| (keeper, order.pin.clone()));
        let signed = turn.cards().sign_statement(&ask, order.pin, &statement)?;
        if let Some((keeper, pin)) = kept {
            keeper.keep(order.choice.card, pin, order.tries_shown);
        }
        Ok(signed)
    }

    /// A statement of a time that the server does not share would be in vain, and the PIN with it: it is asked before.
    fn ask_the_time(&self) {
        let now = Instant::now();
        if self.agent.wire.time.is_in_doubt() {
            // If it says nothing, the host's clock is all there is.
            let _ = self.agent.keeper.freshen(now + self.agent.wire.reach.patience(now));
        }
    }

    fn statement(&self, account: &AccountName) -> Result<Statement, LinkError> {
        let now = self.agent.wire.time.now();
        let subject = &self.subject;
        Ok(Statement {
            countersign: Purpose::Statement,
            dry_run: subject.dry_run,
            operation: subject.operation.clone(),
            resource: subject.resource.clone(),
            account: account.clone(),
            login: subject.login.clone(),
            service: subject.service.clone(),
            claimed: subject.claimed.clone(),
            place: subject.place.clone(),
            instance: self.link.instance.fingerprint.clone(),
            server: self.link.server.fingerprint.clone(),
            time: now,
            expires: now.plus(LIFE),
            nonce: Nonce::new(self.agent.random.as_ref())?,
            body: subject.body.as_ref().map(|body| Digest::of(&body.0)),
            approves: subject.approves.as_ref().map(|statement| Digest::of(&statement.0)),
            transcript: None,
        })
    }
}
