//! A login: `Authenticate` and `Account`.

mod candidates;
mod consent;
mod emergency;
mod new_pin;

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_protocol::ids::{AccountName, CorrelationId, LoginName, ServiceName};
use countersign_protocol::ipc::{Account, Authenticate, Denial, DenyReason, Grant, NoteKind, Reply};
use countersign_protocol::limits;
use countersign_protocol::message::{HostEvent, HostEventKind};
use countersign_protocol::statement::{Place as StatementPlace, Whence};
use serde::Serialize;

use crate::agent::{Agent, with_missed};
use crate::card::Asker;
use crate::card_removal::ByCard;
use crate::config::OnRemoval;
use crate::drive::{Drive, Subject};
use crate::flood::{Heed, Source};
use crate::offline::{Desk, Granted};
use crate::peer::Peer;
use crate::permit::Door;
use crate::person::Person;
use crate::queue::Party;
use crate::seat::{self, HostWorld, Place, World as _};
use crate::server_link::Link;
use crate::session::{Choice, Decided, Refused, Verdict};
use crate::trouble::{Trouble, sentence};
use crate::unsettled::Handover;

pub use self::new_pin::{pin_change, pin_check};

/// An account check trusts a roster of this age without asking, in seconds.
const RECENT: i64 = 60;

/// How long an account check waits for a fresher one.
const ACCOUNT_WAIT: Duration = Duration::from_secs(3);

/// Answers one [`Authenticate`].
pub fn authenticate(
    agent: &Arc<Agent>,
    door: Door,
    peer: &Peer,
    ask: &Authenticate,
    person: &mut Person,
) -> (Reply, Option<Handover>) {
    let correlation = match agent.correlation() {
        Ok(correlation) => correlation,
        Err(trouble) => return (crate::serve::failed_without_id(&trouble), None),
    };
    let (login, service) = (&ask.login, &ask.service);
    let login = Login { agent, correlation, login, service, door, uid: peer.uid };
    let place = seat::judge(&HostWorld, &agent.config.seat_rule(), peer, door, ask.remote_host.as_deref());
    if let Place::Away(why) = place {
        let message = why.told();
        let event = Some(HostEventKind::RemoteSession);
        return (login.deny(Refused { reason: DenyReason::RemoteSession, message, event }, None), None);
    }
    // The process number may have passed to another process while its session was looked up.
    if !peer.is_still_there() {
        let message = "The program that asked has ended.".to_owned();
        return (login.deny(Refused { reason: DenyReason::Cancelled, message, event: None }, None), None);
    }
    if let Some(grant) = login.by_consent(peer, ask, person) {
        return (Reply::Granted(grant), None);
    }
    let (link, candidates) = match login.candidates(person) {
        Ok(found) => found,
        Err(refused) => return (login.deny(refused, None), None),
    };
    login.remember_service();
    let subject = match login.subject(&link, peer) {
        Ok(subject) => subject,
        Err(trouble) => return (login.deny(internal(&trouble), None), None),
    };
    if let Some(claim) = &subject.claimed {
        person.note(NoteKind::Info, &claim_in_words(service, claim));
    }
    let codes = login.codes();
    let asker = login.asker(peer);
    let desk = login.desk(&link);
    let keeps_pin = None;
    let decided =
        Drive { agent, link: &link, candidates, codes, subject, only: None, asker, desk, keeps_pin };
    let decided = decided.run(person);
    match &decided.verdict {
        Verdict::GrantedHere(granted) => person.note(NoteKind::Info, &granted.in_words()),
        Verdict::Answered(answer) if answer.is_allowed() => {
            for note in emergency::notes(answer, decided.code_of.is_some()) {
                person.note(NoteKind::Info, &note);
            }
        }
        Verdict::Answered(_) | Verdict::Refused(_) => {}
    }
    let choice = decided.choice.clone();
    let (reply, handover) = login.conclude(decided, ask);
    match (&reply, choice) {
        (Reply::Granted(grant), Some(choice)) if door == Door::Pam => {
            by_card(agent, peer, ask, grant, choice)
        }
        (Reply::Denied(_), _) => agent.consents.forget(&ask.login),
        _ => {}
    }
    (reply, handover)
}

/// What root's file lets follow from a login with a card.
fn by_card(agent: &Arc<Agent>, peer: &Peer, ask: &Authenticate, grant: &Grant, choice: Choice) {
    if agent.config.consent.covers(&ask.service) {
        consent::give(agent, peer, ask, grant, &choice);
    }
    if agent.config.card_removal.of(&ask.service) != OnRemoval::Nothing {
        let Choice { card, account, .. } = choice;
        agent.card_sessions.granted(ByCard { correlation: grant.correlation.clone(), card, account });
    }
}

/// Answers one [`Account`]: may this login be used here at all?
pub fn account(agent: &Arc<Agent>, door: Door, peer: &Peer, ask: &Account) -> Reply {
    let correlation = match agent.correlation() {
        Ok(correlation) => correlation,
        Err(trouble) => return crate::serve::failed_without_id(&trouble),
    };
    let (login, service) = (&ask.login, &ask.service);
    let login = Login { agent, correlation, login, service, door, uid: peer.uid };
    let now = agent.wire.time.now();
    let knows_nobody = || login.entry().map_or(true, |entry| entry.accounts.is_empty());
    let is_stale =
        agent.contacts.get().is_none_or(|contact| !contact.is_fresh(now, RECENT)) || knows_nobody();
    let mut fresh = Ok(());
    if is_stale && login.may_cause_a_check_in() {
        let begun = Instant::now();
        let is_gone = agent.wire.reach.seems_gone(begun);
        let wait = if is_gone { limits::SERVER_PATIENCE_IN_VAIN } else { ACCOUNT_WAIT };
        // Without an answer the roster that is there decides, as long as it is not too old.
        fresh = agent.keeper.freshen(begun + wait);
    }
    match login.entry() {
        Ok(entry) if !entry.accounts.is_empty() => {
            // Root's programs ask once a login; on the socket for everybody anyone asks as often as they like.
            if door == Door::Pam || matches!(login.heed("account-allowed"), Heed::Record { .. }) {
                login.note(login.entry_of("account-allowed", None, None, None));
            }
            Reply::Granted(Grant {
                nonce: ask.nonce,
                account: None,
                ledger_index: None,
                journal_index: None,
                statement: None,
                correlation: login.correlation,
            })
        }
        Ok(_) => match fresh {
            Err(error) if error.is_silence() => login.deny(login.not_here(error), None),
            _ => login.deny(login.nobody(), None),
        },
        Err(refused) => login.deny(refused, None),
    }
}

struct Login<'a> {
    agent: &'a Arc<Agent>,
    correlation: CorrelationId,
    login: &'a LoginName,
    service: &'a ServiceName,
    door: Door,
    uid: u32,
}

/// What the journal keeps of a decision.
#[derive(Serialize)]
struct Journalled<'a> {
    event: &'a str,
    correlation: &'a CorrelationId,
    login: &'a LoginName,
    service: &'a ServiceName,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<DenyReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<&'a str>,
}

impl Login<'_> {
    /// A service that asks for the first time may have no file that names it: the server hears of it, and says
    /// whether it may go on without.
    fn remember_service(&self) {
        // On the socket for everybody anyone asks by any name.
        if self.door != Door::Pam {
            return;
        }
        match self.agent.contacts.services.asked(self.service) {
            Ok(true) => self.agent.keeper.check_in(),
            Ok(false) => {}
            Err(error) => self.agent.log.warn("service-not-kept", &[("why", &error.to_string())]),
        }
    }

    fn subject(&self, link: &Link, peer: &Peer) -> Result<Subject, Trouble> {
        let is_sudo = matches!(self.service.as_str(), "sudo" | "sudo-i");
        Ok(Subject {
            operation: "open-session".parse()?,
            resource: format!("session/{}", link.instance.fingerprint).parse()?,
            login: Some(self.login.clone()),
            service: Some(self.service.clone()),
            place: Some(self.place(peer)),
            dry_run: false,
            approves: None,
            claimed: is_sudo.then(|| peer.claimed_command()).flatten().filter(|claim| !claim.is_empty()),
            body: None,
            correlation: self.correlation.clone(),
            uid: self.uid,
        })
    }

    /// Only whoever sits at the seat of the readers comes this far.
    fn place(&self, peer: &Peer) -> StatementPlace {
        let seat = HostWorld.has_logind().then(|| self.agent.config.seat.name.parse().ok()).flatten();
        let terminal = peer.terminal().and_then(|name| name.parse().ok());
        StatementPlace { from: Whence::Local, seat, terminal }
    }

    fn desk<'d>(&'d self, link: &'d Link) -> Option<Desk<'d>> {
        let Self { agent, login, service, correlation, .. } = self;
        Some(Desk { agent, link, login, service, correlation })
    }

    fn asker(&self, peer: &Peer) -> Asker {
        let party = match self.door {
            Door::Pam => Party::Login(self.login.clone()),
            Door::User => Party::Uid(self.uid),
        };
        Asker { party, what: peer.in_words(self.service.as_str(), self.login.as_str()) }
    }

    fn conclude(self, decided: Decided, ask: &Authenticate) -> (Reply, Option<Handover>) {
        match decided.verdict {
            Verdict::Refused(refused) => {
                (self.deny_of(refused, decided.choice.as_ref(), decided.code_of.as_deref()), None)
            }
            Verdict::GrantedHere(granted) => {
                (self.grant_here(&granted, ask, decided.code_of.is_some()), None)
            }
            Verdict::Answered(answer) => {
                let by_code = decided.code_of.is_some();
                let account = decided
                    .choice
                    .map(|choice| choice.account)
                    .or_else(|| decided.code_of.map(|account| *account));
                let login = Self { correlation: answer.correlation().clone(), ..self };
                let name = account.as_ref().map(|account| account.as_str());
                let index = answer.ledger_index();
                let (event, told) = match (answer.is_allowed(), by_code) {
                    (true, false) => ("login-allowed", None),
                    (true, true) => ("emergency-code-used", Some(answer.reason())),
                    (false, false) => ("login-denied", Some(answer.reason())),
                    (false, true) => ("emergency-code-denied", Some(answer.reason())),
                };
                let entry = login.entry_of(event, name, Some(index), told);
                login.log(&entry);
                if by_code {
                    login.warn_of_code(event, answer.reason());
                }
                if let (true, true, Some(account)) = (answer.is_allowed(), by_code, &account) {
                    login.spend_code(account);
                }
                if answer.is_allowed() {
                    let reply = Reply::Granted(Grant {
                        nonce: ask.nonce,
                        account: account.clone(),
                        ledger_index: Some(index),
                        journal_index: None,
                        statement: Some(answer.statement()),
                        correlation: login.correlation.clone(),
                    });
                    let handover = login.agent.hand_over(answer.clone(), &entry);
                    (reply, handover)
                } else {
                    login.agent.settle(&answer, &entry);
                    let message = sentence(answer.reason());
                    let (reason, correlation) = (DenyReason::Policy, login.correlation);
                    (Reply::Denied(Denial { reason, message, correlation }), None)
                }
            }
        }
    }

    /// Written down already, in one step with the count.
    fn grant_here(self, granted: &Granted, ask: &Authenticate, by_code: bool) -> Reply {
        self.agent.keeper.look();
        let told = granted.in_words();
        let account = granted.account();
        let event = if by_code { "emergency-code-used-offline" } else { "login-allowed-offline" };
        self.agent.log.warn(
            event,
            &[
                ("correlation", self.correlation.as_str()),
                ("login", self.login.as_str()),
                ("service", self.service.as_str()),
                ("account", account.as_str()),
                ("journal", &granted.journal_index().to_string()),
                ("told", &told),
            ],
        );
        Reply::Granted(Grant {
            nonce: ask.nonce,
            account: Some(account.clone()),
            ledger_index: None,
            journal_index: Some(granted.journal_index()),
            statement: Some(granted.statement()),
            correlation: self.correlation,
        })
    }

    fn deny(&self, refused: Refused, choice: Option<&Choice>) -> Reply {
        self.deny_of(refused, choice, None)
    }

    fn deny_of(&self, refused: Refused, choice: Option<&Choice>, code_of: Option<&AccountName>) -> Reply {
        // With a card and its PIN it is a person's doing; without one it can be had at will.
        let heed = match (choice, refused.event) {
            // Somebody typed a code where one may be typed: there are few of these tries, and each is to be seen.
            (Some(_), _) | (None, Some(HostEventKind::WrongEmergencyCode)) => Heed::Record { missed: 0 },
            (None, Some(HostEventKind::RemoteSession)) => self.heed("remote-session"),
            (None, Some(_)) => self.heed("no-answer"),
            (None, None) => self.heed("denied-here"),
        };
        if let Heed::Record { missed } = heed {
            self.record(&refused, choice, code_of, missed);
        }
        if heed != Heed::Count {
            self.agent.log.warn(
                "login-denied",
                &[
                    ("correlation", self.correlation.as_str()),
                    ("login", self.login.as_str()),
                    ("service", self.service.as_str()),
                    ("reason", &format!("{:?}", refused.reason)),
                    ("told", &refused.message),
                ],
            );
        }
        let correlation = self.correlation.clone();
        Reply::Denied(Denial { reason: refused.reason, message: refused.message, correlation })
    }

    /// In the journal, and in the ledger if it is an event.
    fn record(&self, refused: &Refused, choice: Option<&Choice>, code_of: Option<&AccountName>, missed: u64) {
        let account = choice.map(|choice| choice.account.clone()).or_else(|| code_of.cloned());
        let Some(event) = refused.event else {
            let name = account.as_ref().map(|account| account.as_str());
            let entry = self.entry_of("denied-here", name, None, Some(&refused.message));
            return self.note(Journalled { reason: Some(refused.reason), ..entry });
        };
        let event = HostEvent {
            event,
            at: self.agent.wire.time.now(),
            correlation: self.correlation.clone(),
            login: Some(self.login.clone()),
            account,
            service: Some(self.service.clone()),
            card: choice.map(|choice| choice.card),
            told: refused.message.clone(),
        };
        self.agent.report(&with_missed(event, missed));
    }

    fn heed(&self, what: &'static str) -> Heed {
        let source = Source { door: self.door, uid: self.uid, login: Some(self.login.clone()), what };
        self.agent.floods.heed(source, Instant::now())
    }

    fn entry_of<'e>(
        &'e self,
        event: &'e str,
        account: Option<&'e str>,
        ledger_index: Option<u64>,
        told: Option<&'e str>,
    ) -> Journalled<'e> {
        let (correlation, login, service) = (&self.correlation, self.login, self.service);
        Journalled { event, correlation, login, service, account, ledger_index, reason: None, told }
    }

    fn note(&self, entry: Journalled<'_>) {
        self.agent.note(&entry);
        self.log(&entry);
    }

    fn log(&self, entry: &Journalled<'_>) {
        let index = entry.ledger_index.map(|index| index.to_string()).unwrap_or_default();
        self.agent.log.notice(
            entry.event,
            &[
                ("correlation", entry.correlation.as_str()),
                ("login", entry.login.as_str()),
                ("service", entry.service.as_str()),
                ("account", entry.account.unwrap_or("-")),
                ("ledger", &index),
            ],
        );
    }
}

/// As much of what a program says of itself as a line takes. What the card signs is the same text, read once.
const CLAIM: usize = 160;

/// For whoever is about to type a PIN.
fn claim_in_words(service: &ServiceName, claim: &str) -> String {
    let shown: String = claim.chars().take(CLAIM).collect();
    let more = if claim.chars().count() > CLAIM { "…" } else { "" };
    format!("Claimed by {service}: {shown}{more}")
}

fn internal(trouble: &Trouble) -> Refused {
    Refused { reason: DenyReason::Internal, message: trouble.message.clone(), event: None }
}
