//! A login that goes without a card, because one a moment ago had it.

use std::time::Instant;

use countersign_protocol::ipc::{Authenticate, Grant, NoteKind};
use countersign_protocol::message::{HostEvent, HostEventKind};

use super::{Login, RECENT, claim_in_words};
use crate::agent::Agent;
use crate::consent::{Asked, Caller, Consent, Now, up};
use crate::flood::{Heed, Source};
use crate::peer::Peer;
use crate::permit::Door;
use crate::person::Person;
use crate::seat::HostWorld;
use crate::session::Choice;

/// Uses of one login's consents in a minute. Beyond that the card is asked for.
const A_MINUTE: u64 = 30;

impl Login<'_> {
    /// The grant, with the receipt of the login that had the card. None: the card is asked for.
    pub(super) fn by_consent(&self, peer: &Peer, ask: &Authenticate, person: &mut Person) -> Option<Grant> {
        let agent = self.agent;
        if self.door != Door::Pam || !agent.config.consent.covers(self.service) {
            return None;
        }
        let caller = Caller::of(&HostWorld, peer)?;
        let asked = || Asked {
            login: self.login,
            service: self.service,
            caller: &caller,
            up: up(),
            life: agent.config.consent.life(),
        };
        agent.consents.find(&asked())?;
        self.hear_of_changes();
        // Again: a denial, or the end of the session, may have come meanwhile.
        let consent = agent.consents.find(&asked()).filter(|consent| self.stands(consent))?;
        if !peer.is_still_there() || person.is_gone() {
            return None;
        }
        // `sudo` in a loop costs whoever runs it nothing, but each entry stays in the ledger for ever.
        let source =
            Source { door: self.door, uid: peer.uid, login: Some(self.login.clone()), what: "consent" };
        let Heed::Record { missed: _ } = agent.floods.heed_up_to(source, A_MINUTE, Instant::now()) else {
            return None;
        };
        let words = words(agent.config.consent.minutes, &consent);
        let event = self.event(peer, &consent, &words);
        // What cannot be written down does not happen: the card is asked for.
        if let Err(error) = agent.journal.report(&event) {
            agent.log.warn("journal-failed", &[("why", &error.to_string())]);
            return None;
        }
        agent.keeper.look();
        self.log(&self.entry_of("consent-reused", Some(consent.account.account.as_str()), None, None));
        person.note(NoteKind::Info, &words);
        Some(Grant {
            nonce: ask.nonce,
            account: Some(consent.account.account),
            ledger_index: Some(consent.ledger_index),
            journal_index: None,
            statement: Some(consent.statement),
            correlation: self.correlation.clone(),
        })
    }

    /// Only what the server stood by a moment ago counts.
    fn hear_of_changes(&self) {
        let now = self.agent.wire.time.now();
        if self.agent.contacts.get().is_none_or(|contact| !contact.is_fresh(now, RECENT)) {
            let begun = Instant::now();
            // Without an answer the card is asked for, and may open the login without the server.
            let _ = self.agent.keeper.freshen(begun + self.agent.wire.reach.patience(begun));
        }
    }

    fn stands(&self, consent: &Consent) -> bool {
        let agent = self.agent;
        let time = agent.wire.time.now();
        let is_known = agent.contacts.get().is_some_and(|contact| {
            contact.is_fresh(time, RECENT) && !contact.refused && !contact.forked && contact.alarm.is_none()
        });
        let Some(held) = agent.contacts.rosters.get().filter(|_| is_known && self.entry().is_ok()) else {
            return false;
        };
        let insertion = agent.cards.insertion(consent.card);
        consent.stands(&Now { roster: &held.verified, time, insertion })
    }

    fn event(&self, peer: &Peer, consent: &Consent, words: &str) -> HostEvent {
        let is_sudo = matches!(self.service.as_str(), "sudo" | "sudo-i");
        let claim = is_sudo.then(|| peer.claimed_command()).flatten().filter(|claim| !claim.is_empty());
        let claim = claim.map(|claim| format!(" {}", claim_in_words(self.service, &claim)));
        let terminal = peer.terminal().map(|name| format!(" on {name}")).unwrap_or_default();
        let told = format!(
            "{words} It is entry {} of the ledger ({}){terminal}.{}",
            consent.ledger_index,
            consent.correlation,
            claim.unwrap_or_default()
        );
        HostEvent {
            event: HostEventKind::ConsentReused,
            at: self.agent.wire.time.now(),
            correlation: self.correlation.clone(),
            login: Some(self.login.clone()),
            account: Some(consent.account.account.clone()),
            service: Some(self.service.clone()),
            card: Some(consent.card),
            told,
        }
    }
}

/// A login that the server allowed, with this card: the next one may go by it.
pub(super) fn give(agent: &Agent, peer: &Peer, ask: &Authenticate, grant: &Grant, choice: &Choice) {
    let consent = || -> Option<Consent> {
        let held = agent.contacts.rosters.get()?;
        let now = agent.wire.time.now();
        let key = agent.cards.seen(choice.card).ok()?.signing_key?;
        let mut accounts = held.verified.unasked(&ask.login, &ask.service, now);
        let account = accounts.find(|one| one.account == choice.account && one.keys.contains(&key))?;
        Some(Consent {
            login: ask.login.clone(),
            service: ask.service.clone(),
            caller: Caller::of(&HostWorld, peer)?,
            card: choice.card,
            insertion: agent.cards.insertion(choice.card)?,
            account: account.clone(),
            epoch: held.verified.roster().policy_epoch,
            ledger_index: grant.ledger_index?,
            statement: grant.statement?,
            correlation: grant.correlation.clone(),
            up: up(),
            at: now,
        })
    };
    if let Some(consent) = consent() {
        agent.consents.given(consent);
    }
}

/// For the person and the ledger.
fn words(minutes: u64, consent: &Consent) -> String {
    let at = consent.at.to_string();
    let clock = at.get(11..16).unwrap_or(&at);
    let span = if minutes == 1 { "1 minute".to_owned() } else { format!("{minutes} minutes") };
    format!(
        "No card is asked: the consent of {clock} UTC to {} is reused, for {span} in all.",
        consent.service
    )
}
