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

/// One card. Public data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    card: CardIdent,
    /// For whom, where it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<AccountName>,
    /// None while it is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<Binary>,
    /// The keys' creation time.
    at: Timestamp,
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

    /// Keys created at `at` are about to be made on this card. On the disk before the card is touched.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(
        &self,
        card: CardIdent,
        account: Option<&AccountName>,
        at: Timestamp,
    ) -> Result<(), StateError> {
        self.put(Made { card, account: account.cloned(), certificate: None, at })
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
        self.put(Made { card, account: account.cloned(), certificate: Some(certificate), at })
    }

    /// They are registered, or gone, or never came to be.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn forget(&self, card: CardIdent) -> Result<(), StateError> {
        let _lock = self.lock();
        let mut all = self.all()?;
        let before = all.len();
        all.retain(|made| made.card != card);
        if all.len() == before { Ok(()) } else { self.state.write(FILE, &all) }
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
        let found = all.into_iter().find(|made| made.card == details.card && made.certificate.is_none());
        found.is_some_and(|made| {
            let mut keys = details.keys.iter().filter(|key| key.fingerprint.is_some());
            keys.all(|key| key.created == Some(made.at))
        })
    }

    fn put(&self, made: Made) -> Result<(), StateError> {
        let _lock = self.lock();
        let mut all = self.all()?;
        all.retain(|other| other.card != made.card);
        all.push(made);
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
