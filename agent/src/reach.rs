//! Whether the server seems to be there, as the last messages tell.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::limits;

use crate::wire::LinkError;

/// How long to wait for an answer, and how often to send the same bytes meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// When to give up.
    pub deadline: Instant,
    /// How often the same bytes are sent at most: the server answers them once.
    pub attempts: u32,
}

/// Tries while there is time: a connection that was kept open may be dead, and a server may be starting.
const ATTEMPTS: u32 = 3;

/// Tries of a login that can go on without the server.
const FEW_ATTEMPTS: u32 = 2;

impl Patience {
    /// Until `deadline`, as for everything that needs the server.
    #[must_use]
    pub const fn until(deadline: Instant) -> Self {
        Self { deadline, attempts: ATTEMPTS }
    }

    /// The same with fewer tries: a server that is gone is noticed within a sixth of a second.
    #[must_use]
    pub const fn brief(self) -> Self {
        Self { attempts: FEW_ATTEMPTS, ..self }
    }

    /// One try: the server is expected to let us wait.
    #[must_use]
    pub const fn once(self) -> Self {
        Self { attempts: 1, ..self }
    }
}

/// What `status` says about the server.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// When it last answered, by its own clock.
    pub last_answer: Option<Timestamp>,
    /// What went wrong at the last attempt.
    pub problem: Option<String>,
}

/// What the last messages told.
#[derive(Debug, Default)]
pub struct Reach {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    health: Health,
    /// Something came back that the server signed.
    answered: Option<Instant>,
    /// A message was in vain.
    in_vain: Option<Instant>,
}

impl Reach {
    /// How it went lately.
    #[must_use]
    pub fn health(&self) -> Health {
        self.lock().health.clone()
    }

    /// Whether a message of the last seconds was in vain, and none since was answered.
    #[must_use]
    pub fn seems_gone(&self, now: Instant) -> bool {
        let seen = self.lock();
        let in_vain = seen.in_vain.filter(|at| now.saturating_duration_since(*at) <= limits::SILENCE);
        in_vain.is_some_and(|in_vain| seen.answered.is_none_or(|answered| answered < in_vain))
    }

    /// How long a login waits for the server if it can go on without.
    #[must_use]
    pub fn patience(&self, now: Instant) -> Duration {
        if self.seems_gone(now) { limits::SERVER_PATIENCE_IN_VAIN } else { limits::SERVER_PATIENCE }
    }

    /// Whether the server answered within `time`, and no message since was in vain.
    #[must_use]
    pub fn answered_within(&self, time: Duration, now: Instant) -> bool {
        let seen = self.lock();
        let answered = seen.answered.filter(|at| now.saturating_duration_since(*at) <= time);
        answered.is_some_and(|answered| seen.in_vain.is_none_or(|in_vain| in_vain < answered))
    }

    /// The server answered, at `time` of its own clock.
    pub(crate) fn answered(&self, time: Timestamp, now: Instant) {
        let mut seen = self.lock();
        seen.health = Health { last_answer: Some(time), problem: None };
        seen.answered = Some(now);
    }

    /// A message that was sent at `begun` failed. Silence that was cut short says nothing: the server may be far
    /// away, and would seem gone for ever if nobody waited for it any more.
    pub(crate) fn failed(&self, error: &LinkError, patience: Patience, begun: Instant, now: Instant) {
        let mut seen = self.lock();
        // Others took the places of those that watch: it is there, and everything else goes on.
        if !matches!(error, LinkError::Full(_)) {
            seen.health.problem = Some(error.to_string());
        }
        match error {
            LinkError::Refused { .. } | LinkError::Untrusted(_) => seen.answered = Some(now),
            LinkError::Unreachable(_) | LinkError::Unproven(_) => {
                let waited = now.saturating_duration_since(begun);
                if now < patience.deadline || waited >= limits::SERVER_PATIENCE {
                    seen.in_vain = Some(now);
                }
            }
            LinkError::NotEnrolled | LinkError::Mute(_) | LinkError::Internal(_) | LinkError::Full(_) => {}
        }
    }

    /// A message goes without an answer for as long as a login waits.
    pub(crate) fn waited_in_vain(&self, now: Instant) {
        self.lock().in_vain = Some(now);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Nothing here is left half done by a panic.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn unreachable() -> LinkError {
        LinkError::Unreachable("connection refused".to_owned())
    }

    #[test]
    fn a_message_in_vain_counts_until_one_is_answered_or_it_is_long_ago() {
        let (reach, begun) = (Reach::default(), Instant::now());
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let patience = Patience::until(at(10_000));
        assert!(!reach.seems_gone(begun) && !reach.answered_within(Duration::MAX, begun), "nothing is known");
        reach.failed(&unreachable(), patience, begun, at(5));
        assert!(reach.seems_gone(at(6)) && reach.seems_gone(at(5) + limits::SILENCE));
        assert!(!reach.seems_gone(at(6) + limits::SILENCE), "long ago");
        reach.answered(NOON, at(10));
        assert!(!reach.seems_gone(at(11)) && reach.answered_within(Duration::from_secs(1), at(11)));
        assert!(!reach.answered_within(Duration::from_secs(1), at(1011)));
        reach.failed(&LinkError::Unproven("a login page".to_owned()), patience, at(12), at(13));
        assert!(reach.seems_gone(at(14)) && !reach.answered_within(Duration::from_secs(1), at(14)));
        let refused = LinkError::Refused { correlation: "7K3M-Q2ZD".parse().unwrap(), clock_was_wrong: None };
        reach.failed(&refused, patience, at(15), at(16));
        assert!(!reach.seems_gone(at(17)), "a signed no is an answer");
        reach.answered(NOON, at(17));
        reach.failed(&LinkError::Full(Duration::from_secs(25)), patience, at(17), at(18));
        assert!(!reach.seems_gone(at(19)) && reach.answered_within(Duration::from_secs(1), at(19)));
        assert_eq!(reach.health().problem, None, "it is there, and has no place for one who waits");
    }

    #[test]
    fn a_server_far_away_does_not_seem_gone_because_nobody_waited_for_it() {
        let (reach, begun) = (Reach::default(), Instant::now());
        let brief = Patience::until(begun + limits::SERVER_PATIENCE_IN_VAIN);
        reach.failed(&unreachable(), brief, begun, brief.deadline);
        assert!(!reach.seems_gone(brief.deadline));
        reach.failed(&unreachable(), brief, begun, begun + limits::SERVER_PATIENCE);
        assert!(reach.seems_gone(begun + limits::SERVER_PATIENCE));
    }
}
