//! Results that are here and were not opened so far: the server has forgotten them, and a mistyped PIN must not cost one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign_protocol::ids::MessageId;
use countersign_protocol::message::JobResultReply;

/// How long one is kept. Sealed to somebody's card, it tells nobody anything.
const LIFE: Duration = Duration::from_secs(600);

/// Most of them: the oldest one goes.
const MOST: usize = 16;

/// Results by their jobs.
#[derive(Debug, Default)]
pub struct Unopened(Mutex<HashMap<MessageId, (Instant, JobResultReply)>>);

impl Unopened {
    /// Keeps one.
    pub fn keep(&self, now: Instant, reply: &JobResultReply) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (since, _)| now.duration_since(*since) < LIFE);
        if kept.len() >= MOST
            && let Some(oldest) = kept.iter().min_by_key(|(_, (since, _))| *since).map(|(job, _)| *job)
        {
            kept.remove(&oldest);
        }
        kept.insert(reply.job, (now, reply.clone()));
    }

    /// The one of this job, which stays.
    #[must_use]
    pub fn of(&self, job: &MessageId, now: Instant) -> Option<JobResultReply> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, reply) = kept.get(job)?;
        (now.duration_since(*since) < LIFE).then(|| reply.clone())
    }

    /// It was opened.
    pub fn forget(&self, job: &MessageId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(job);
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::message::JobStanding;

    use super::*;

    fn reply(n: u8) -> JobResultReply {
        let job = MessageId::from_bytes([n; 16]);
        let reason = "done".to_owned();
        JobResultReply { job, standing: JobStanding::Done, reason, result: None, sealed: None, receipt: None }
    }

    #[test]
    fn a_result_is_kept_until_it_is_opened_for_some_minutes_and_not_too_many() {
        let (unopened, now) = (Unopened::default(), Instant::now());
        for n in 0..=u8::try_from(MOST).unwrap() {
            unopened.keep(now + Duration::from_secs(n.into()), &reply(n));
        }
        let of = |n: u8, at: Instant| unopened.of(&MessageId::from_bytes([n; 16]), at);
        assert_eq!((of(0, now), of(1, now)), (None, Some(reply(1))), "the oldest one made room");
        assert_eq!(of(1, now + Duration::from_secs(1) + LIFE), None);
        unopened.forget(&MessageId::from_bytes([2; 16]));
        assert_eq!(of(2, now), None);
    }
}
