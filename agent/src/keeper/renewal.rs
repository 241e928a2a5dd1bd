//! Session keys that are replaced before they end.

use std::time::{Duration, Instant};

use countersign_protocol::clock::Timestamp;

use super::FORKED;
use crate::agent::Agent;
use crate::server_link::{Link, Means};
use crate::wire::LinkError;

/// Soonest next try while the old keys still last: the host's card may be missing for hours.
const RETRY: Duration = Duration::from_secs(60);

/// What to do, for the log. `countersign status` says it too.
const NEXT: &str =
    "put the host's card back into its reader; if it is lost or broken: countersign host replace";

/// What stands in the way of new session keys.
#[derive(Debug, Clone)]
pub struct Trouble {
    why: String,
    at: Instant,
}

impl Trouble {
    /// For `status` and the log: what ends when, and why.
    #[must_use]
    pub fn in_words(&self, until: Option<Timestamp>) -> String {
        match until {
            Some(until) => format!("The session keys end at {until} and could not be replaced: {}", self.why),
            None => format!("There are no session keys, and none could be made: {}", self.why),
        }
    }
}

/// Whether it is time, and was not tried a moment ago. A host without any session keys checks in anyway.
pub(super) fn is_due(agent: &Agent, link: &Link) -> bool {
    let now = agent.wire.time.now();
    let tried = link.trouble().is_some_and(|trouble| trouble.at.elapsed() < RETRY);
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
    let renewed = if agent.contacts.get().is_some_and(|contact| contact.forked) {
        // The server takes none until an administrator has decided.
        Err(LinkError::Internal(FORKED.to_owned()))
    } else {
        renew(agent, link, means)
    };
    match renewed {
        Err(error @ LinkError::Unreachable(_)) => Err(error),
        Err(error) => {
            let trouble = Trouble { why: error.to_string(), at: Instant::now() };
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
    match link.renew_session(means, &agent.cards, &agent.contacts) {
        Ok(_) => {
            link.set_trouble(None);
            agent.log.notice("session-keys-renewed", &[]);
            Ok(())
        }
        Err(error) => {
            link.set_trouble(Some(Trouble { why: error.to_string(), at: Instant::now() }));
            Err(error)
        }
    }
}
