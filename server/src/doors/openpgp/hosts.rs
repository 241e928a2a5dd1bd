//! How often one enrolled host may make us write, wherever it sends from. Counted by its signature, so that nobody else can
//! use up what is its own; asked before the transaction, so that it takes no turn from others.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use countersign_protocol::envelope::Opened;
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::message::MessageKind;

/// How many seconds' worth may come at once.
const AT_ONCE: f64 = 2.0;

/// One bucket for each host: there are no more than are enrolled.
#[derive(Default)]
pub(super) struct Hosts {
    buckets: Mutex<HashMap<Fingerprint, Bucket>>,
}

/// One that was taken.
pub(super) struct Counted(Option<Fingerprint>);

struct Bucket {
    left: f64,
    at: Instant,
}

impl Hosts {
    /// Takes one from the bucket of whoever signed. After how many seconds to come again, if there is none left.
    pub(super) fn admit(&self, opened: &Opened, per_second: f64, now: Instant) -> Result<Counted, u64> {
        // An application's key is in everybody's hands: what comes under it is counted by address alone.
        let newcomer = matches!(opened.message().kind, MessageKind::Hello | MessageKind::InstanceKey);
        match opened.signers() {
            [one] if !newcomer => {
                self.take(&one.certificate, per_second, now).map(|()| Counted(Some(one.certificate.clone())))
            }
            _ => Ok(Counted(None)),
        }
    }

    /// It was a message of before, which anybody on the way can send again: the host need not pay for it.
    pub(super) fn give_back(&self, counted: Counted) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = counted.0.and_then(|host| buckets.get_mut(&host)) {
            bucket.left += 1.0;
        }
    }

    fn take(&self, host: &Fingerprint, per_second: f64, now: Instant) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full = per_second * AT_ONCE;
        let bucket = buckets.entry(host.clone()).or_insert(Bucket { left: full, at: now });
        let passed = now.duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + passed * per_second).min(full);
        bucket.at = now;
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return Ok(());
        }
        Err(1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_host_that_floods_uses_up_its_own_share_and_nobody_elses() {
        let (hosts, now) = (Hosts::default(), Instant::now());
        let one: Fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567".parse().unwrap();
        let other: Fingerprint = "FFFF456789ABCDEF0123456789ABCDEF01234567".parse().unwrap();
        let taken = |host, at| (0..100).filter(|_| hosts.take(host, 10.0, at).is_ok()).count();
        assert_eq!((taken(&one, now), taken(&other, now)), (20, 20));
        assert_eq!(taken(&one, now), 0);
        assert_eq!(taken(&one, now + Duration::from_secs(1)), 10);
        // What others send again in its name costs it nothing.
        let later = now + Duration::from_secs(10);
        for _ in 0..1000 {
            hosts.take(&one, 10.0, later).unwrap();
            hosts.give_back(Counted(Some(one.clone())));
        }
        assert_eq!(taken(&one, later), 20);
    }
}
