//! Certificates that were read and judged a short time ago. Reading one and asking the policy about each of its keys costs as much
//! as the signatures of a message.
//!
//! Nothing is decided here: a certificate is looked up by the digest of the bytes that the store holds at that moment, so that
//! another one in its place is another one here, and who is barred or revoked is in the rows. What ends by itself ends here, too:
//! a [`Pinned`] knows when. What the policy may see otherwise as time goes by, it is asked anew every few minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_protocol::certificate::{self, CertificateError, Pinned};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Digest;
use countersign_protocol::limits;

/// Certificates of hosts and applications, and those of people.
#[derive(Default)]
pub struct Pins {
    senders: Kept,
    people: Kept,
}

/// What a certificate is kept by.
type Name = [u8; 32];

/// Two generations: what was not asked for while one of them filled is forgotten.
#[derive(Default)]
struct Kept(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<Name, Arc<Pinned>>,
    old: HashMap<Name, Arc<Pinned>>,
}

impl Pins {
    /// A host's or an application's certificate, from its binary form.
    ///
    /// # Errors
    /// It is none.
    pub fn sender(&self, bytes: &[u8], now: Timestamp) -> Result<Arc<Pinned>, CertificateError> {
        self.senders.get(*Digest::of(bytes).as_bytes(), now, || Pinned::of(&certificate::parse(bytes)?, now))
    }

    /// A person's certificate, from its binary form: as far as it signs.
    ///
    /// # Errors
    /// It is none.
    pub fn person(&self, bytes: &[u8], now: Timestamp) -> Result<Arc<Pinned>, CertificateError> {
        self.people.get(*Digest::of(bytes).as_bytes(), now, || {
            Ok(Pinned::of(&certificate::parse(bytes)?, now)?.signing_only())
        })
    }

    /// For a name that nobody has, the same work with `bytes`, the first time and each time after that: time does not tell who
    /// has an account.
    ///
    /// # Errors
    /// It is none.
    pub fn nobody(&self, name: &str, bytes: &[u8], now: Timestamp) -> Result<Arc<Pinned>, CertificateError> {
        self.people.get(*Digest::of(&[bytes, name.as_bytes()].concat()).as_bytes(), now, || {
            Ok(Pinned::of(&certificate::parse(bytes)?, now)?.signing_only())
        })
    }
}

impl Kept {
    fn get(
        &self,
        name: Name,
        now: Timestamp,
        make: impl FnOnce() -> Result<Pinned, CertificateError>,
    ) -> Result<Arc<Pinned>, CertificateError> {
        let fresh =
            |pinned: &Arc<Pinned>| (0..limits::PINNED_FOR).contains(&now.seconds_since(pinned.judged()));
        if let Some(pinned) = self.lock(|kept| kept.find(&name)).filter(fresh) {
            return Ok(pinned);
        }
        let pinned = Arc::new(make()?);
        self.lock(|kept| kept.put(name, pinned.clone()));
        Ok(pinned)
    }

    fn lock<T>(&self, work: impl FnOnce(&mut Generations) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Generations {
    fn find(&mut self, name: &Name) -> Option<Arc<Pinned>> {
        if let Some(pinned) = self.young.get(name) {
            return Some(pinned.clone());
        }
        let pinned = self.old.remove(name)?;
        self.put(*name, pinned.clone());
        Some(pinned)
    }

    fn put(&mut self, name: Name, pinned: Arc<Pinned>) {
        if self.young.len() >= limits::PINNED / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, pinned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn bytes(name: &str) -> Vec<u8> {
        let cert = certificate::generate_software(name, NOW.plus(-60), Some(1000)).unwrap();
        certificate::to_bytes(&cert.strip_secret_key_material()).unwrap()
    }

    #[test]
    fn a_certificate_is_judged_once_in_a_while_and_again_when_the_clock_went_back() {
        let (pins, cert) = (Pins::default(), bytes("host"));
        let judged = |now| pins.sender(&cert, now).unwrap().judged();
        assert_eq!(judged(NOW), NOW);
        assert_eq!(judged(NOW.plus(limits::PINNED_FOR - 1)), NOW);
        assert_eq!(judged(NOW.plus(limits::PINNED_FOR)), NOW.plus(limits::PINNED_FOR));
        assert_eq!(judged(NOW.plus(-1)), NOW.plus(-1));
    }

    #[test]
    fn another_certificate_in_the_place_of_one_is_another_one_at_once() {
        let (pins, first, second) = (Pins::default(), bytes("host"), bytes("host"));
        let name = |bytes: &[u8]| pins.sender(bytes, NOW).unwrap().fingerprint().clone();
        assert_ne!(name(&first), name(&second));
        assert_eq!(name(&first), certificate::fingerprint(&certificate::parse(&first).unwrap()).unwrap());
        assert!(pins.sender(b"none", NOW).is_err());
    }

    #[test]
    fn what_ends_between_two_looks_of_the_policy_ends_all_the_same() {
        let (pins, cert) = (Pins::default(), bytes("host"));
        let end = NOW.plus(940);
        assert!(pins.sender(&cert, end.plus(-1)).unwrap().receives(end.plus(-1)));
        let kept = pins.sender(&cert, end).unwrap();
        assert_eq!(kept.judged(), end.plus(-1), "kept");
        assert!(!kept.receives(end));
    }

    #[test]
    fn only_so_many_are_kept_and_those_that_are_asked_for_stay() {
        let (kept, cert) = (Kept::default(), certificate::parse(&bytes("host")).unwrap());
        let get = |number: usize| {
            let mut name = Name::default();
            name[..8].copy_from_slice(&number.to_le_bytes());
            let mut made = false;
            kept.get(name, NOW, || {
                made = true;
                Pinned::of(&cert, NOW)
            })
            .unwrap();
            made
        };
        assert!(get(0) && !get(0));
        for number in 1..limits::PINNED * 2 {
            assert!(get(number));
            assert!(!get(0), "asked for all the time, and forgotten at {number}");
        }
        assert!(kept.lock(|kept| kept.young.len() + kept.old.len()) <= limits::PINNED);
        assert!(get(1), "not asked for since long ago");
    }
}
