//! From a request to its last word: the permit table, the seat rule, and whoever does the work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ipc::{Denial, DenyReason, Problem, ProblemKind, Reply, Request};
use countersign_protocol::limits;
use serde::Serialize;

use crate::agent::Agent;
use crate::flood::{Heed, Source};
use crate::history::{self, Viewer};
use crate::listener::Service;
use crate::peer::Peer;
use crate::permit::{Asked, Caller, Door, Permit, Standing, permit};
use crate::person::Person;
use crate::seat::{self, HostWorld, Place};
use crate::trouble::Trouble;
use crate::unsettled::Handover;
use crate::{
    accept_ledger, body, card_admin, enrollment, job, login, login_sessions, recover, register, rotation,
    ssh_keys, status,
};

/// The agent behind its sockets.
pub struct Served(pub Arc<Agent>);

impl Service for Served {
    fn serve(&self, door: Door, peer: &Peer, request: Request, person: &mut Person) {
        let agent = &self.0;
        let caller = Caller::of(door, peer);
        // Root's programs may ask about anybody: the databases, which may be slow, are spared.
        let own = if caller == Caller::RootOnPam { None } else { peer.login() };
        let asks_for_sshd = own.as_deref() == Some(agent.config.ssh_keys_user.as_str());
        let asked = Asked::of(&request, Standing { own: own.as_deref(), asks_for_sshd });
        match permit(asked, caller, agent.host_state()) {
            Permit::Granted => {}
            Permit::NotInThisState => {
                let _ = person.tell(&not_in_this_state(agent, door, peer, &request));
                return;
            }
            Permit::Refused => return self.closed(door, Some(peer), &format!("{asked:?} is not permitted")),
        }
        person.set_deadline(Instant::now() + time_for(&request));
        let LastWord { reply, beside, handover } = answer(agent, door, peer, request, person);
        let is_told = person.tell(&reply).is_ok();
        if let (false, Reply::Granted(grant)) = (is_told, &reply) {
            agent.consents.forget_one(&grant.correlation);
        }
        if let Some(handover) = handover {
            agent.handed_over(&handover, is_told);
        }
        if let (true, Some(beside)) = (is_told, beside) {
            let _ = body::send(person.socket(), &beside);
        }
    }

    fn turn_away(&self, request: &Request, person: &mut Person) {
        let message = "The agent serves too many requests at once. Try again in a moment.";
        let reply = refuse(&self.0, request, DenyReason::Busy, ProblemKind::Busy, message);
        let _ = person.tell(&reply);
    }

    fn closed(&self, door: Door, peer: Option<&Peer>, why: &str) {
        let (uid, pid) = peer.map_or_else(
            || ("-".to_owned(), "-".to_owned()),
            |peer| (peer.uid.to_string(), peer.pid.to_string()),
        );
        let socket = match door {
            Door::Pam => "pam",
            Door::User => "user",
        };
        let fields = [("socket", socket), ("uid", &uid), ("pid", &pid), ("why", why)];
        let uid = peer.map_or(u32::MAX, |peer| peer.uid);
        let _ =
            warn(&self.0, Source { door, uid, login: None, what: "closed" }, "connection-closed", &fields);
    }
}

/// What a request comes to.
struct LastWord {
    reply: Reply,
    /// A body that goes beside it.
    beside: Option<Vec<u8>>,
    /// An allowed login: it matters whether the program hears of it.
    handover: Option<Handover>,
}

impl From<Reply> for LastWord {
    fn from(reply: Reply) -> Self {
        Self { reply, beside: None, handover: None }
    }
}

/// One overall deadline for each request, the person's time to type included.
fn time_for(request: &Request) -> Duration {
    match request {
        Request::Authenticate(_)
        | Request::Job(_)
        | Request::JobResult(_)
        | Request::PinCheck(_)
        | Request::PinChange(_)
        | Request::Recover(_) => limits::LOGIN,
        Request::SessionOpened(_) | Request::SessionClosed(_) => Duration::from_secs(5),
        Request::Account(_) | Request::SshKeys(_) => Duration::from_secs(15),
        Request::Status => Duration::from_secs(5),
        // Another program may have to let go of a card first.
        Request::CardList => limits::CARD_ANSWER + Duration::from_secs(5),
        Request::Journal(_) | Request::CheckJournal | Request::RevokeKey(_) => Duration::from_secs(30),
        // A card may have to be put in first.
        Request::CardShow(_) | Request::CardCheck(_) => limits::CARD_WAIT + 2 * limits::CARD_ANSWER,
        Request::AcceptLedger
        | Request::CardChangePin(_)
        | Request::CardUnblock(_)
        | Request::CardSetTouch(_)
        | Request::CardFactoryReset(_) => limits::LOGIN,
        // Three keys may be generated, and a person types six PINs and a code.
        Request::Enroll(_)
        | Request::RotateKey(_)
        | Request::ReplaceHost(_)
        | Request::Register(_)
        | Request::CardInit(_)
        | Request::CardGenerate(_) => limits::LOGIN + 3 * limits::CARD_KEY_GENERATION,
    }
}

fn answer(agent: &Arc<Agent>, door: Door, peer: &Peer, request: Request, person: &mut Person) -> LastWord {
    let looks = matches!(request, Request::Status | Request::Journal(_));
    let _turn = (looks && peer.uid != 0).then(|| agent.lookers.turn());
    let result = match &request {
        Request::Authenticate(ask) => {
            let (reply, handover) = login::authenticate(agent, door, peer, ask, person);
            return LastWord { reply, beside: None, handover };
        }
        Request::Account(ask) => return login::account(agent, door, peer, ask).into(),
        Request::SessionOpened(ask) => {
            login_sessions::opened(agent, peer, ask).map(|noted| (Reply::Noted(noted), None))
        }
        Request::SessionClosed(ask) => {
            login_sessions::closed(agent, door, peer, ask).map(|noted| (Reply::Noted(noted), None))
        }
        Request::PinCheck(ask) => return login::pin_check(agent, door, peer, ask, person).into(),
        Request::PinChange(ask) => return login::pin_change(agent, door, peer, ask, person).into(),
        Request::Status => {
            let report = status::status(agent, sees_cards(agent, door, peer), peer);
            Ok((Reply::Status(Box::new(report)), None))
        }
        Request::Journal(ask) => history::page(agent, &Viewer::of(peer), ask)
            .map(|(page, entries)| (Reply::Journal(page), Some(entries))),
        Request::CheckJournal => history::check(agent).map(|checked| (Reply::JournalChecked(checked), None)),
        Request::CardList => at_the_seat_or_root(agent, door, peer).map(|()| {
            agent.cards.read_held(person);
            (Reply::Cards { cards: status::cards(agent, peer.uid) }, None)
        }),
        Request::CardShow(ask) => {
            // Nothing but public data; of this host's own card for root alone, wherever root sits.
            let of_host = ask.card.is_some_and(|card| status::is_hosts(agent, card));
            let may = if peer.uid == 0 && of_host { Ok(()) } else { at_the_seat(agent, door, peer) };
            may.and_then(|()| card_admin::show(agent, peer.asker(), ask, peer.uid == 0, person))
                .map(|details| (Reply::CardDetails(details), None))
        }
        Request::CardInit(_)
        | Request::CardGenerate(_)
        | Request::CardChangePin(_)
        | Request::CardUnblock(_)
        | Request::CardSetTouch(_)
        | Request::CardCheck(_)
        | Request::CardFactoryReset(_) => at_the_seat(agent, door, peer)
            .and_then(|()| card_admin::answer(agent, peer.asker(), &request, person))
            .map(|reply| (reply, None)),
        // The host's own card and state: root's business, wherever root sits.
        Request::Enroll(ask) => {
            enrollment::enroll(agent, ask, person).map(|done| (Reply::Enrolled(done), None))
        }
        Request::RotateKey(ask) => {
            rotation::rotate(agent, ask, person).map(|done| (Reply::Enrolled(done), None))
        }
        Request::ReplaceHost(ask) => {
            enrollment::replace(agent, ask, person).map(|done| (Reply::Enrolled(done), None))
        }
        Request::AcceptLedger => accept_ledger::accept(agent, person).map(|()| {
            let report = status::status(agent, sees_cards(agent, door, peer), peer);
            (Reply::Status(Box::new(report)), None)
        }),
        Request::Register(ask) => at_the_seat(agent, door, peer)
            .and_then(|()| register::register(agent, peer, ask, person))
            .map(|done| (Reply::Registered(done), None)),
        Request::Recover(ask) => at_the_seat(agent, door, peer)
            .and_then(|()| recover::recover(agent, peer, ask, person))
            .map(|done| (Reply::Recovered(done), None)),
        Request::RevokeKey(ask) => {
            recover::revoke_key(agent, ask, person).map(|done| (Reply::KeyRevoked(done), None))
        }
        Request::SshKeys(ask) => {
            ssh_keys::ssh_keys(agent, door, peer, ask, person).map(|found| (Reply::SshKeys(found), None))
        }
        Request::JobResult(ask) => {
            at_the_seat(agent, door, peer).and_then(|()| job::job_result(agent, peer, ask, person))
        }
        Request::Job(ask) => at_the_seat(agent, door, peer).and_then(|()| job::job(agent, peer, ask, person)),
    };
    let (reply, beside) = result.unwrap_or_else(|trouble| (failed(agent, door, peer, &trouble), None));
    LastWord { reply, beside, handover: None }
}

/// A person's card answers only to the person at its seat: decided before anything is sent to it.
fn at_the_seat(agent: &Agent, door: Door, peer: &Peer) -> Result<(), Trouble> {
    match seat::judge(&HostWorld, &agent.config.seat_rule(), peer, door, None) {
        Place::Here if peer.is_still_there() => Ok(()),
        Place::Here => Err(Trouble::new(ProblemKind::Cancelled, "The program that asked has ended.")),
        Place::Away(why) => {
            let told = why.told();
            agent.report_away(source(door, peer, "remote-session"), &told);
            Err(Trouble::new(ProblemKind::NotPermitted, told))
        }
    }
}

/// Looking at what is known already: root may, from anywhere.
fn at_the_seat_or_root(agent: &Agent, door: Door, peer: &Peer) -> Result<(), Trouble> {
    if sees_cards(agent, door, peer) {
        return Ok(());
    }
    Err(Trouble::new(
        ProblemKind::NotPermitted,
        "Cards are shown only to the person at their seat, and to root.",
    ))
}

fn source(door: Door, peer: &Peer, what: &'static str) -> Source {
    Source { door, uid: peer.uid, login: None, what }
}

/// A line that its cause may cause at will. Says whether it is to be recorded in full.
fn warn(agent: &Agent, source: Source, event: &str, fields: &[(&str, &str)]) -> bool {
    let heed = agent.floods.heed(source, Instant::now());
    match heed {
        Heed::Record { missed: 0 } | Heed::LogOnly => agent.log.warn(event, fields),
        Heed::Record { missed } => {
            let missed = missed.to_string();
            let mut fields = fields.to_vec();
            fields.push(("more", &missed));
            agent.log.warn(event, &fields);
        }
        Heed::Count => {}
    }
    matches!(heed, Heed::Record { .. })
}

fn sees_cards(agent: &Agent, door: Door, peer: &Peer) -> bool {
    peer.uid == 0 || seat::judge(&HostWorld, &agent.config.seat_rule(), peer, door, None) == Place::Here
}

fn not_in_this_state(agent: &Agent, door: Door, peer: &Peer, request: &Request) -> Reply {
    match (request, agent.link()) {
        (Request::Enroll(_), Some(link)) => failed(
            agent,
            door,
            peer,
            &Trouble::new(
                ProblemKind::Enrolment,
                format!(
                    "This host is the instance {} of the server {} already. For a new key: countersign host rotate-key; if its key or the card that holds it is lost: countersign host replace.",
                    link.instance.fingerprint, link.server.url
                ),
            ),
        ),
        _ => {
            let message = "This host is not enrolled. As root: countersign enroll";
            refuse(agent, request, DenyReason::NotEnrolled, ProblemKind::Enrolment, message)
        }
    }
}

/// A refusal in the words that the asking program understands.
fn refuse(agent: &Agent, request: &Request, reason: DenyReason, kind: ProblemKind, message: &str) -> Reply {
    let correlation = match agent.correlation() {
        Ok(correlation) => correlation,
        Err(trouble) => return failed_without_id(&trouble),
    };
    let message = message.to_owned();
    match request {
        Request::Authenticate(_) | Request::Account(_) | Request::PinCheck(_) | Request::PinChange(_) => {
            Reply::Denied(Denial { reason, message, correlation })
        }
        _ => Reply::Failed(Problem { kind, message, correlation }),
    }
}

/// What the journal keeps of a request that failed.
#[derive(Serialize)]
struct Journalled<'a> {
    event: &'static str,
    correlation: &'a CorrelationId,
    uid: u32,
    kind: ProblemKind,
    told: &'a str,
}

fn failed(agent: &Agent, door: Door, peer: &Peer, trouble: &Trouble) -> Reply {
    let correlation = match trouble.correlation.clone().map_or_else(|| agent.correlation(), Ok) {
        Ok(correlation) => correlation,
        Err(trouble) => return failed_without_id(&trouble),
    };
    let kind = format!("{:?}", trouble.kind);
    let fields = [("correlation", correlation.as_str()), ("kind", &kind), ("told", &trouble.message)];
    if warn(agent, source(door, peer, "failed"), "request-failed", &fields) {
        let (event, uid, told) = ("request-failed", peer.uid, trouble.message.as_str());
        agent.note(&Journalled { event, correlation: &correlation, uid, kind: trouble.kind, told });
    }
    Reply::Failed(Problem { kind: trouble.kind, message: trouble.message.clone(), correlation })
}

/// Without randomness there is no correlation id either: one that says so by itself.
#[must_use]
pub fn failed_without_id(trouble: &Trouble) -> Reply {
    match "0000-0000".parse::<CorrelationId>() {
        Ok(correlation) => Reply::Failed(Problem {
            kind: ProblemKind::Internal,
            message: trouble.message.clone(),
            correlation,
        }),
        Err(_) => {
            Reply::Note { kind: countersign_protocol::ipc::NoteKind::Error, text: trouble.message.clone() }
        }
    }
}
