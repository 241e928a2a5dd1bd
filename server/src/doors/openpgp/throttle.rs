//! How often one address may make us decrypt (W19). Asked before the first decapsulation.
//!
//! Anyone can send bytes that cost a private-key operation and prove nothing. An address that has just shown an
//! enrolled host gets a wide bucket, any other a narrow one, so that a flood from elsewhere does not keep hosts out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Limits;

/// How long an address counts as a host's after its last good message.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Most addresses remembered; then those that have been quiet are forgotten, and new ones share one bucket.
const ADDRESSES: usize = 65_536;

/// How often the quiet ones are looked for: looking takes as long as there are addresses.
const SWEEP: Duration = Duration::from_secs(10);

/// The bucket of all for whom there is no other: a multicast address, from which nothing comes.
const SHARED: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0));

/// One bucket for each address.
pub struct Throttle {
    strangers_per_minute: f64,
    hosts_per_second: f64,
    most: usize,
    addresses: Mutex<Addresses>,
}

#[derive(Default)]
struct Addresses {
    buckets: HashMap<IpAddr, Bucket>,
    swept: Option<Instant>,
}

struct Bucket {
    /// What is left for strangers.
    narrow: f64,
    /// What is left for a host.
    wide: f64,
    at: Instant,
    host_until: Option<Instant>,
}

/// May these bytes be looked at?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Admission {
    /// Yes: a host was there in the last minutes.
    Host,
    /// Yes, for anybody.
    Stranger,
    /// Not before that many seconds.
    After(u64),
}

impl Throttle {
    /// With these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            strangers_per_minute: f64::from(limits.strangers_per_minute),
            hosts_per_second: f64::from(limits.hosts_per_second),
            most: ADDRESSES,
            addresses: Mutex::default(),
        }
    }

    /// Takes one from the bucket of `address`.
    pub fn admit(&self, address: IpAddr, now: Instant) -> Admission {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let key = addresses.key(network(address), self.most, now);
        let bucket = addresses.buckets.entry(key).or_insert_with(|| Bucket {
            narrow: self.strangers_per_minute,
            wide: self.hosts_per_second * 2.0,
            at: now,
            host_until: None,
        });
        let passed = now.duration_since(bucket.at).as_secs_f64();
        bucket.at = now;
        bucket.narrow =
            (bucket.narrow + passed * self.strangers_per_minute / 60.0).min(self.strangers_per_minute);
        bucket.wide = (bucket.wide + passed * self.hosts_per_second).min(self.hosts_per_second * 2.0);

        let is_host = bucket.host_until.is_some_and(|until| now < until);
        let (left, per_second) = if is_host {
            (&mut bucket.wide, self.hosts_per_second)
        } else {
            (&mut bucket.narrow, self.strangers_per_minute / 60.0)
        };
        if *left >= 1.0 {
            *left -= 1.0;
            return if is_host { Admission::Host } else { Admission::Stranger };
        }
        let seconds = Duration::from_secs_f64(((1.0 - *left) / per_second).min(3600.0));
        Admission::After(seconds.as_secs().saturating_add(1))
    }

    /// An enrolled host showed itself at `address`: it pays nothing for having been a stranger until now.
    pub fn is_host(&self, address: IpAddr, now: Instant) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = addresses.buckets.get_mut(&network(address)) {
            if bucket.host_until.is_none_or(|until| until <= now) {
                bucket.narrow = (bucket.narrow + 1.0).min(self.strangers_per_minute);
            }
            bucket.host_until = Some(now + REMEMBERED);
        }
    }
}

impl Addresses {
    /// Under which key this address is counted.
    fn key(&mut self, address: IpAddr, most: usize, now: Instant) -> IpAddr {
        if self.buckets.len() < most || self.buckets.contains_key(&address) {
            return address;
        }
        if self.swept.is_none_or(|swept| now.duration_since(swept) >= SWEEP) {
            self.swept = Some(now);
            // Or whoever has enough addresses would have every host that was quiet for a minute share theirs.
            let is_host = |bucket: &Bucket| bucket.host_until.is_some_and(|until| now < until);
            self.buckets.retain(|_, bucket| {
                is_host(bucket) || now.duration_since(bucket.at) < Duration::from_secs(60)
            });
        }
        if self.buckets.len() < most { address } else { SHARED }
    }
}

/// Who counts as one: an IPv6 customer has at least a /64 to send from.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> Throttle {
        Throttle::new(Limits { strangers_per_minute: 3, hosts_per_second: 10, ..Limits::default() })
    }

    fn granted(throttle: &Throttle, address: &str, now: Instant, tries: usize) -> usize {
        let address = address.parse().unwrap();
        (0..tries).filter(|_| !matches!(throttle.admit(address, now), Admission::After(_))).count()
    }

    #[test]
    fn a_stranger_is_stopped_and_told_when_to_come_again() {
        let (throttle, now) = (throttle(), Instant::now());
        assert_eq!(granted(&throttle, "192.0.2.1", now, 10), 3);
        assert!(matches!(throttle.admit("192.0.2.1".parse().unwrap(), now), Admission::After(20..=21)));
        assert_eq!(granted(&throttle, "192.0.2.2", now, 1), 1, "another address is another bucket");
        assert_eq!(granted(&throttle, "192.0.2.1", now + Duration::from_secs(21), 10), 1);
    }

    #[test]
    fn a_host_is_not_held_to_the_strangers_limit() {
        let (throttle, now) = (throttle(), Instant::now());
        assert_eq!(granted(&throttle, "192.0.2.1", now, 1), 1);
        throttle.is_host("192.0.2.1".parse().unwrap(), now);
        assert_eq!(granted(&throttle, "192.0.2.1", now, 100), 20);
    }

    #[test]
    fn when_there_are_too_many_addresses_new_ones_share_a_bucket() {
        let throttle = Throttle { most: 2, ..throttle() };
        let now = Instant::now();
        assert_eq!(granted(&throttle, "192.0.2.1", now, 1) + granted(&throttle, "192.0.2.2", now, 1), 2);
        assert_eq!(granted(&throttle, "192.0.2.3", now, 2) + granted(&throttle, "192.0.2.4", now, 2), 3);
        assert_eq!(granted(&throttle, "192.0.2.1", now, 5), 2, "who was there before keeps its own");
        assert_eq!(throttle.addresses.lock().unwrap().buckets.len(), 3);
        let later = now + Duration::from_secs(61);
        assert_eq!(granted(&throttle, "192.0.2.5", later, 5), 3, "the quiet ones are forgotten");
        assert_eq!(throttle.addresses.lock().unwrap().buckets.len(), 1);
    }

    #[test]
    fn a_host_that_is_quiet_for_a_minute_is_not_forgotten_for_a_crowd_of_addresses() {
        let throttle = Throttle { most: 3, ..throttle() };
        let now = Instant::now();
        assert_eq!(granted(&throttle, "192.0.2.1", now, 1), 1);
        throttle.is_host("192.0.2.1".parse().unwrap(), now);
        for n in 1..200 {
            let _crowd = granted(&throttle, &format!("203.0.113.{n}"), now + Duration::from_secs(n), 5);
        }
        assert_eq!(granted(&throttle, "192.0.2.1", now + Duration::from_secs(200), 100), 20);
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_bucket() {
        let (throttle, now) = (throttle(), Instant::now());
        assert_eq!(granted(&throttle, "2001:db8::1", now, 3), 3);
        assert_eq!(granted(&throttle, "2001:db8::2", now, 3), 0);
        assert_eq!(granted(&throttle, "2001:db8:0:1::2", now, 3), 3);
    }
}
