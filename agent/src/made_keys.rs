//! Keys that were made on cards here and are not registered yet, with their certificates; and cards on which
//! making keys broke off. A wrong code must not cost the card, nor a closed window the certificate.

use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, CardIdent};
use serde::{Deserialize, Serialize};

use crate::card::Details;
use crate::state::{StateDir, StateError};

const FILE: &str = "made-keys.json";

/// Most cards remembered: whoever prepares more registers some of them first, or keeps the certificates.
const CARDS: usize = 256;

/// Most attempts remembered that broke off on one card; each may have left a key.
const ATTEMPTS: usize = 16;

/// One card. Public data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    card: CardIdent,
    /// For whom, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<AccountName>,
    /// None while the first one is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<Binary>,
    /// The keys' creation time.
    at: Timestamp,
    /// Creation times of others, which were to take their place: none of them may be on the card, or some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<Timestamp>,
}

impl Made {
    /// Creation times of keys that nobody has a certificate of.
    fn unfinished(&self) -> impl Iterator<Item = Timestamp> {
        let first = self.certificate.is_none().then_some(self.at);
        first.into_iter().chain(self.attempts.iter().copied())
    }
}

/// All of them, on disk.
pub struct MadeKeys {
    state: StateDir,
    lock: Mutex<()>,
}

impl MadeKeys {
    /// Reads nothing yet.
    #[must_use]
    pub const fn new(state: StateDir) -> Self {
        Self { state, lock: Mutex::new(()) }
    }

    /// Keys created at `at` are about to be made on this card. On the disk before the card is touched. What is known
    /// of the keys that are there stays until these are finished.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(
        &self,
        card: CardIdent,
        account: Option<&AccountName>,
        at: Timestamp,
    ) -> Result<(), StateError> {
        self.change(card, |old| match old {
            None => {
                let account = account.cloned();
                Some(Made { card, account, certificate: None, at, attempts: Vec::new() })
            }
            Some(mut made) => {
                made.attempts.push(at);
                let surplus = made.attempts.len().saturating_sub(ATTEMPTS);
                made.attempts.drain(..surplus);
                Some(made)
            }
        })
    }

    /// Not one of them came to be: the card is as it was.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn never_began(&self, card: CardIdent, at: Timestamp) -> Result<(), StateError> {
        self.change(card, |old| {
            let mut made = old?;
            made.attempts.retain(|attempt| *attempt != at);
            if made.certificate.is_none() && made.at == at {
                made.at = made.attempts.pop()?;
            }
            Some(made)
        })
    }

    /// They are made; this is their certificate.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(
        &self,
        card: CardIdent,
        account: Option<&AccountName>,
        at: Timestamp,
        certificate: Binary,
    ) -> Result<(), StateError> {
        let (account, certificate) = (account.cloned(), Some(certificate));
        self.change(card, |_| Some(Made { card, account, certificate, at, attempts: Vec::new() }))
    }

    /// They are registered, or gone.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn forget(&self, card: CardIdent) -> Result<(), StateError> {
        self.change(card, |_| None)
    }

    /// The certificate of the keys on this card, unless they were made for another account.
    #[must_use]
    pub fn certificate(&self, card: CardIdent, account: &AccountName) -> Option<Binary> {
        let _lock = self.lock();
        let made = self.all().ok()?.into_iter().find(|made| made.card == card)?;
        made.certificate.filter(|_| made.account.is_none_or(|of| of == *account))
    }

    /// Whether every key on this card comes from an attempt here that broke off: then nobody has their certificate,
    /// and nothing was ever signed with or encrypted to them.
    #[must_use]
    pub fn broke_off(&self, details: &Details) -> bool {
        let _lock = self.lock();
        let Ok(all) = self.all() else { return false };
        let found = all.into_iter().find(|made| made.card == details.card);
        found.filter(|made| made.unfinished().next().is_some()).is_some_and(|made| {
            let mut keys = details.keys.iter().filter(|key| key.fingerprint.is_some());
            keys.all(|key| made.unfinished().any(|at| key.created == Some(at)))
        })
    }

    fn change(
        &self,
        card: CardIdent,
        new: impl FnOnce(Option<Made>) -> Option<Made>,
    ) -> Result<(), StateError> {
        let _lock = self.lock();
        let mut all = self.all()?;
        let old = all.iter().position(|made| made.card == card).map(|at| all.remove(at));
        let was_known = old.is_some();
        let new = new(old);
        if new.is_none() && !was_known {
            return Ok(());
        }
        all.extend(new);
        let surplus = all.len().saturating_sub(CARDS);
        all.drain(..surplus);
        self.state.write(FILE, &all)
    }

    fn all(&self) -> Result<Vec<Made>, StateError> {
        Ok(self.state.read(FILE)?.unwrap_or_default())
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        // What a panic left half done is on disk as it was before.
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::ids::Fingerprint;
    use countersign_protocol::ipc::{CardKey, CardSlot, CardTries};

    use super::*;

    const THEN: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn card(number: u32) -> CardIdent {
        CardIdent::new(6, number)
    }

    fn with_keys(created: &[Option<Timestamp>]) -> Details {
        let key = |created: &Option<Timestamp>| CardKey {
            slot: CardSlot::Signature,
            fingerprint: created.map(|_| Fingerprint::from_bytes(&[7; 20]).unwrap()),
            algorithm: "Ed25519".to_owned(),
            created: *created,
            made_on_card: Some(true),
            touch: None,
        };
        Details {
            card: card(1),
            specification: (3, 4),
            firmware: None,
            keys: created.iter().map(key).collect(),
            tries: CardTries { user: 3, reset_code: 0, admin: 3 },
            forced: true,
            hashed: false,
            cardholder: None,
            url: None,
            signatures: None,
            erasable: true,
        }
    }

    #[test]
    fn only_keys_of_the_very_attempt_that_broke_off_count_as_its() {
        let folder = tempfile::tempdir().unwrap();
        let made = MadeKeys::new(StateDir::open(folder.path()).unwrap());
        assert!(!made.broke_off(&with_keys(&[Some(THEN)])), "no attempt");
        made.begin(card(1), None, THEN).unwrap();
        assert!(made.broke_off(&with_keys(&[Some(THEN), Some(THEN), None])));
        assert!(!made.broke_off(&with_keys(&[Some(THEN), Some(THEN.plus(1)), None])), "somebody else's");
        made.finish(card(1), None, THEN, Binary(vec![1])).unwrap();
        assert!(!made.broke_off(&with_keys(&[Some(THEN)])), "these are finished");
    }

    #[test]
    fn keys_that_never_came_to_be_cost_neither_a_certificate_nor_what_broke_off_before() {
        let folder = tempfile::tempdir().unwrap();
        let made = MadeKeys::new(StateDir::open(folder.path()).unwrap());
        let ana = "ana".parse().unwrap();
        let later = THEN.plus(100);
        // A finished one.
        made.finish(card(1), None, THEN, Binary(vec![1])).unwrap();
        made.begin(card(1), None, later).unwrap();
        assert_eq!(made.certificate(card(1), &ana), Some(Binary(vec![1])), "also if the agent ends here");
        assert!(!made.broke_off(&with_keys(&[Some(THEN)])));
        assert!(made.broke_off(&with_keys(&[Some(later)])));
        made.never_began(card(1), later).unwrap();
        assert_eq!(made.certificate(card(1), &ana), Some(Binary(vec![1])));
        assert!(!made.broke_off(&with_keys(&[])));
        made.finish(card(1), None, later, Binary(vec![2])).unwrap();
        assert_eq!(made.certificate(card(1), &ana), Some(Binary(vec![2])));
        // One that broke off, and the next that got to the first key only.
        made.forget(card(1)).unwrap();
        made.begin(card(1), None, THEN).unwrap();
        made.begin(card(1), None, later).unwrap();
        assert!(made.broke_off(&with_keys(&[Some(later), Some(THEN), Some(THEN)])));
        made.never_began(card(1), later).unwrap();
        assert!(made.broke_off(&with_keys(&[Some(THEN)])) && !made.broke_off(&with_keys(&[Some(later)])));
        made.never_began(card(1), THEN).unwrap();
        assert!(!made.broke_off(&with_keys(&[])), "nothing is left to go on with");
    }

    #[test]
    fn a_certificate_is_kept_for_its_account_until_it_is_registered() {
        let folder = tempfile::tempdir().unwrap();
        let made = MadeKeys::new(StateDir::open(folder.path()).unwrap());
        let (ana, bob) = ("ana".parse().unwrap(), "bob".parse().unwrap());
        made.finish(card(1), Some(&ana), THEN, Binary(vec![1])).unwrap();
        made.finish(card(2), None, THEN, Binary(vec![2])).unwrap();
        assert_eq!(made.certificate(card(1), &ana), Some(Binary(vec![1])));
        assert_eq!(made.certificate(card(1), &bob), None);
        assert_eq!(made.certificate(card(2), &bob), Some(Binary(vec![2])));
        made.forget(card(1)).unwrap();
        assert_eq!(made.certificate(card(1), &ana), None);
        for number in 0..300 {
            made.finish(card(100 + number), None, THEN, Binary(vec![])).unwrap();
        }
        assert_eq!(made.certificate(card(2), &bob), None, "the oldest make room");
    }
}
