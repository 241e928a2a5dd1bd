//! Whose cards may open a login: by the roster, asked for anew where it knows too little.

use std::sync::Arc;
use std::time::Instant;

use countersign_protocol::ipc::{DenyReason, NoteKind};
use countersign_protocol::key_words::key_words;
use countersign_protocol::limits;
use countersign_protocol::message::{HostEventKind, InstanceState};
use countersign_protocol::roster::RosterEntry;

use super::Login;
use crate::check_in::Contact;
use crate::drive::{Candidate, WAITING};
use crate::offline;
use crate::permit::Door;
use crate::person::Person;
use crate::server_link::Link;
use crate::session::{NotHere, Refused};
use crate::trouble::Trouble;
use crate::wire::LinkError;

impl Login<'_> {
    /// The keys that may open this login, from the roster; asked for anew if it knows none, or if a card is in
    /// that it does not know.
    pub(super) fn candidates(&self, person: &mut Person) -> Result<(Arc<Link>, Vec<Candidate>), Refused> {
        let link = self.agent.link().ok_or_else(|| from_link(LinkError::NotEnrolled))?;
        let mut entry = self.entry();
        let knows_all =
            entry.as_ref().is_ok_and(|entry| !entry.accounts.is_empty() && !self.stranger(&link, entry));
        let may_ask = self.may_cause_a_check_in();
        if knows_all && may_ask {
            // While the person types, the keeper finds out whether the server is there.
            self.agent.keeper.nudge();
        } else if may_ask {
            let now = Instant::now();
            // Somebody can be let in without it: they need not wait for long.
            let knows_some = entry.as_ref().is_ok_and(|entry| !entry.accounts.is_empty());
            let time = if knows_some { self.agent.wire.reach.patience(now) } else { limits::SERVER_ANSWER };
            let deadline = person.deadline().min(now + time);
            if let Err(error) = self.agent.contacts.wants(self.login) {
                self.agent.log.warn("login-not-asked-about-first", &[("why", &error.to_string())]);
            }
            let mut slow = || person.note(NoteKind::Info, WAITING);
            match self.agent.keeper.freshen_telling(deadline, &mut slow) {
                Ok(()) => entry = self.entry(),
                // Unreachable, but the roster has somebody: the server is asked again with the statement.
                Err(_) if entry.as_ref().is_ok_and(|entry| !entry.accounts.is_empty()) => {}
                // Nobody to ask for a card, nor to decide by.
                Err(error) if error.is_silence() => return Err(self.not_here(error)),
                Err(error) => return Err(from_link(error)),
            }
        }
        let candidates: Vec<Candidate> = entry?.accounts.iter().flat_map(Candidate::of_roster).collect();
        if candidates.is_empty() { Err(self.nobody()) } else { Ok((link, candidates)) }
    }

    /// The server says nothing, and this host knows nobody for this login.
    pub(super) fn not_here(&self, error: LinkError) -> Refused {
        let now = self.agent.wire.time.now();
        let held = self.agent.contacts.rosters.get();
        let denial = offline::usable(held.as_ref().map(|held| &held.verified), now).err();
        let denial = denial.unwrap_or(offline::Denial::NotInRoster);
        let (reason, event) = (DenyReason::ServerUnavailable, event_of(&error));
        Refused { reason, message: NotHere { error, denial }.in_words(), event }
    }

    /// Root's programs ask once a login; everybody else may ask all day.
    pub(super) fn may_cause_a_check_in(&self) -> bool {
        self.door == Door::Pam || self.agent.floods.may_refresh(Instant::now())
    }

    /// Whether no card that is in is in the roster, but some card is in.
    fn stranger(&self, link: &Link, entry: &RosterEntry) -> bool {
        let cards = self.agent.cards.list();
        let mut keys = cards
            .iter()
            .filter(|seen| seen.ident.is_some() && seen.ident != link.primary().card())
            .filter_map(|seen| seen.signing_key.as_ref())
            .peekable();
        let known = |key| entry.accounts.iter().any(|account| account.keys.contains(key));
        keys.peek().is_some() && !keys.any(known)
    }

    pub(super) fn entry(&self) -> Result<RosterEntry, Refused> {
        let link = self.agent.link().ok_or_else(|| from_link(LinkError::NotEnrolled))?;
        let contact = self.agent.contacts.get();
        let Some(contact) = contact.as_deref() else { return Err(waiting(&link, None)) };
        if contact.state != InstanceState::Active {
            return Err(waiting(&link, Some(contact)));
        }
        let now = self.agent.wire.time.now();
        let held = self.agent.contacts.rosters.get().filter(|held| !held.verified.is_expired(now));
        let entry = held.and_then(|held| held.verified.entry(self.login).cloned());
        Ok(entry.unwrap_or_else(|| RosterEntry { login: self.login.clone(), accounts: Vec::new() }))
    }

    pub(super) fn nobody(&self) -> Refused {
        let message = format!(
            "No account may open {0} on this host. An administrator binds one with `countersign admin user add`; the host learns of it at its next check-in, or at once when you try again.",
            self.login
        );
        Refused { reason: DenyReason::Policy, message, event: None }
    }
}

/// An instance that may not work, or does not know yet whether it may.
fn waiting(link: &Link, contact: Option<&Contact>) -> Refused {
    let words = key_words(&link.instance.fingerprint);
    let message = match contact.map(|contact| contact.state) {
        Some(InstanceState::Suspended) => "This host is suspended. Ask an administrator.".to_owned(),
        Some(InstanceState::Revoked) => "This host's key is revoked. It must be enrolled anew.".to_owned(),
        _ => format!("This host waits for an administrator's approval. Its key words are {words}."),
    };
    Refused { reason: DenyReason::NotEnrolled, message, event: None }
}

const fn event_of(error: &LinkError) -> Option<HostEventKind> {
    match error {
        LinkError::Unreachable(_) | LinkError::Full(_) | LinkError::Mute(_) | LinkError::Refused { .. } => {
            Some(HostEventKind::NoAnswer)
        }
        LinkError::Unproven(_) | LinkError::Untrusted(_) => Some(HostEventKind::BadAnswer),
        LinkError::NotEnrolled | LinkError::Internal(_) => None,
    }
}

fn from_link(error: LinkError) -> Refused {
    let reason = match error {
        LinkError::NotEnrolled => DenyReason::NotEnrolled,
        LinkError::Internal(_) => DenyReason::Internal,
        _ => DenyReason::ServerUnavailable,
    };
    let event = event_of(&error);
    Refused { reason, message: Trouble::from(error).message, event }
}
