//! Session keys that are replaced before they end.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign_protocol::clock::Timestamp;

use crate::agent::Agent;
use crate::server_link::{Link, Means};
use crate::wire::LinkError;

/// Soonest next try while the old keys still last: the host's card may be missing for hours.
const RETRY: Duration = Duration::from_secs(60);

/// The same after the server refused them: each try is an entry in its ledger, and wears the host's card.
const RETRY_REFUSED: Duration = Duration::from_secs(600);

/// Soonest next try after a host that has no session keys in force got none: it carries no login. Its
/// check-ins, with which they go, are ever rarer while nobody needs it.
const SOON: Duration = Duration::from_secs(3);

/// How often refused check-ins are answered with new session keys, which the server may well take each time.
const AGAIN: Duration = Duration::from_secs(3600);

/// What to do, for the log. `countersign status` says it too.
const NEXT: &str =
    "put the host's card back into its reader; if it is lost or broken: countersign host replace";

/// What stands in the way of new session keys.
#[derive(Debug, Clone)]
pub struct Trouble {
    why: String,
    at: Instant,
    refused: bool,
}

impl Trouble {
    fn of(error: &LinkError) -> Self {
        let refused = matches!(error, LinkError::Refused { .. });
        Self { why: error.to_string(), at: Instant::now(), refused }
    }

    fn is_fresh(&self) -> bool {
        self.at.elapsed() < if self.refused { RETRY_REFUSED } else { RETRY }
    }

    /// For `status` and the log: what ends when, and why.
    #[must_use]
    pub fn in_words(&self, until: Option<Timestamp>) -> String {
        match until {
            Some(until) => format!("The session keys end at {until} and could not be replaced: {}", self.why),
            None => format!("There are no session keys, and none could be made: {}", self.why),
        }
    }
}

/// Check-ins are refused: until when new session keys are not tried against that. Held to look or to replace.
#[derive(Debug, Default)]
pub struct Refusal(Mutex<Option<Instant>>);

impl Refusal {
    /// Whether new keys may help; they are tried then. At once, and if they were taken and did not, seldom.
    pub(super) fn may_renew(&self, now: Instant) -> bool {
        let mut barred = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let may = barred.is_none_or(|until| now >= until);
        if may {
            *barred = Some(now + AGAIN);
        }
        may
    }

    /// There are none: refused, or nobody answered. The next ones may be taken: they have another time, and a number
    /// of their own.
    pub(super) fn got_none(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now + SOON);
    }

    /// A check-in was answered.
    pub(super) fn is_over(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether it is time, and was not tried a moment ago. A host without any session keys checks in anyway.
pub(super) fn is_due(agent: &Agent, link: &Link) -> bool {
    let now = agent.wire.time.now();
    let tried = link.trouble().is_some_and(|trouble| trouble.is_fresh());
    !tried && link.session().is_some_and(|session| session.must_be_renewed(now))
}

/// Replaces the session keys if it is time. While the old ones last the host works on with them, whatever is in the
/// way of new ones.
pub(super) fn renew_if_due(agent: &Agent, link: &Link, means: Means<'_>) -> Result<(), LinkError> {
    let now = agent.wire.time.now();
    let last = link.session().filter(|session| session.until() > now);
    let Some(session) = last else { return renew(agent, link, means) };
    if !is_due(agent, link) {
        return Ok(());
    }
    match renew(agent, link, means) {
        Err(error @ LinkError::Unreachable(_)) => Err(error),
        Err(error) => {
            let trouble = Trouble::of(&error);
            let what = trouble.in_words(Some(session.until()));
            agent.log.warn("session-keys-not-renewed", &[("what", &what), ("next", NEXT)]);
            link.set_trouble(Some(trouble));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Replaces them now.
pub(super) fn renew(agent: &Agent, link: &Link, means: Means<'_>) -> Result<(), LinkError> {
    link.read_primary_again(&agent.state);
    match link.renew_session(means, &agent.cards, &agent.contacts) {
        Ok(_) => {
            link.set_trouble(None);
            agent.log.notice("session-keys-renewed", &[]);
            Ok(())
        }
        Err(error) => {
            link.set_trouble(Some(Trouble::of(&error)));
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_check_ins_are_answered_with_new_keys_once_and_then_seldom() {
        let (refusal, now) = (Refusal::default(), Instant::now());
        assert!(refusal.may_renew(now));
        for seconds in 0..3599 {
            assert!(!refusal.may_renew(now + Duration::from_secs(seconds)));
        }
        assert!(refusal.may_renew(now + AGAIN));
        assert!(!refusal.may_renew(now + AGAIN + Duration::from_secs(60)));
        refusal.is_over();
        assert!(refusal.may_renew(now));
    }

    #[test]
    fn new_keys_that_were_not_taken_are_followed_by_others_soon() {
        let (refusal, now) = (Refusal::default(), Instant::now());
        assert!(refusal.may_renew(now));
        refusal.got_none(now);
        assert!(!refusal.may_renew(now + Duration::from_secs(2)));
        assert!(refusal.may_renew(now + SOON));
        assert!(!refusal.may_renew(now + SOON + Duration::from_secs(3598)));
    }
}
