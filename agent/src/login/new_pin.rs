//! `passwd` for a login that needs a card: the card's PIN takes the password's place, so it is what is changed.

use std::sync::Arc;

use countersign_protocol::ids::Fingerprint;
use countersign_protocol::ipc::{DenyReason, Grant, NoteKind, PinChange, ProblemKind, Reply};
use countersign_protocol::message::{HostEvent, HostEventKind};

use super::Login;
use crate::agent::Agent;
use crate::card_admin::{self, NewPin};
use crate::peer::Peer;
use crate::permit::Door;
use crate::person::Person;
use crate::seat::{self, HostWorld, Place};
use crate::session::Refused;
use crate::trouble::Trouble;

/// Answers the preliminary check: this login's card is there, and its PIN can be replaced.
pub fn pin_check(agent: &Arc<Agent>, door: Door, peer: &Peer, ask: &PinChange, person: &mut Person) -> Reply {
    answer(agent, door, peer, ask, person, |login, keys, person| {
        card_admin::find_for_login(agent, login.asker(peer), keys, person)
    })
}

/// Asks for what the card has now and for a new PIN, and replaces it.
pub fn pin_change(
    agent: &Arc<Agent>,
    door: Door,
    peer: &Peer,
    ask: &PinChange,
    person: &mut Person,
) -> Reply {
    answer(agent, door, peer, ask, person, |login, keys, person| {
        let new = card_admin::new_pin(agent, login.asker(peer), keys, person)?;
        login.report_new_pin(&new);
        person.note(NoteKind::Info, &new.message);
        Ok(())
    })
}

fn answer(
    agent: &Arc<Agent>,
    door: Door,
    peer: &Peer,
    ask: &PinChange,
    person: &mut Person,
    work: impl FnOnce(&Login<'_>, &[Fingerprint], &mut Person) -> Result<(), Trouble>,
) -> Reply {
    let correlation = match agent.correlation() {
        Ok(correlation) => correlation,
        Err(trouble) => return crate::serve::failed_without_id(&trouble),
    };
    let (name, service) = (&ask.login, &ask.service);
    let login = Login { agent, correlation, login: name, service, door, uid: peer.uid };
    let done = login
        .may_change_its_pin(peer, ask)
        .and_then(|()| login.candidates(person))
        .map(|(_, candidates)| candidates.into_iter().map(|one| one.key).collect::<Vec<Fingerprint>>())
        .and_then(|keys| work(&login, &keys, person).map_err(refused));
    match done {
        Ok(()) => Reply::Granted(Grant {
            nonce: ask.nonce,
            account: None,
            ledger_index: None,
            journal_index: None,
            statement: None,
            correlation: login.correlation,
        }),
        Err(refused) => login.deny(refused, None),
    }
}

impl Login<'_> {
    /// The seat rule, and: nobody changes the PIN of another's card, root's programs only for who started them.
    fn may_change_its_pin(&self, peer: &Peer, ask: &PinChange) -> Result<(), Refused> {
        let place = seat::judge(
            &HostWorld,
            &self.agent.config.seat_rule(),
            peer,
            self.door,
            ask.remote_host.as_deref(),
        );
        if let Place::Away(why) = place {
            let message = why.told();
            let event = Some(HostEventKind::RemoteSession);
            return Err(Refused { reason: DenyReason::RemoteSession, message, event });
        }
        let refuse = |reason, message: &str| Refused { reason, message: message.to_owned(), event: None };
        let Some(real) = peer.real_uid() else {
            return Err(refuse(DenyReason::Cancelled, "The program that asked has ended."));
        };
        let own = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(real)).ok().flatten();
        if real != 0 && own.is_none_or(|own| own.name != self.login.as_str()) {
            let message = "The PIN of a card is changed by its own person, logged in as themselves.";
            return Err(refuse(DenyReason::Policy, message));
        }
        Ok(())
    }

    fn report_new_pin(&self, new: &NewPin) {
        let event = if new.was_blocked { HostEventKind::CardUnblocked } else { HostEventKind::PinChanged };
        self.agent.report(&HostEvent {
            event,
            at: self.agent.wire.time.now(),
            correlation: self.correlation.clone(),
            login: Some(self.login.clone()),
            account: new.account.clone(),
            service: Some(self.service.clone()),
            card: Some(new.card),
            told: new.message.clone(),
        });
    }
}

fn refused(trouble: Trouble) -> Refused {
    let by_kind = match trouble.kind {
        ProblemKind::Card | ProblemKind::Usage => DenyReason::CardFailed,
        ProblemKind::Cancelled => DenyReason::Cancelled,
        ProblemKind::Busy => DenyReason::Busy,
        ProblemKind::NotPermitted => DenyReason::Policy,
        ProblemKind::Enrolment => DenyReason::NotEnrolled,
        ProblemKind::Server => DenyReason::ServerUnavailable,
        ProblemKind::Refused | ProblemKind::Untrusted | ProblemKind::Internal => DenyReason::Internal,
    };
    Refused { reason: trouble.reason.unwrap_or(by_kind), message: trouble.message, event: None }
}
