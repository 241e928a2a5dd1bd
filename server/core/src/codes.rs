//! One-time codes: eight Crockford characters, 40 bits, five tries (W10).

use countersign_protocol::clock::Timestamp;
use countersign_protocol::crockford;
use countersign_protocol::ids::{AccountName, Digest, Fingerprint, MessageId};
use countersign_protocol::random::{NoRandomness, Random};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use crate::secrets::Pepper;
use crate::store::StoreError;

/// A code as it was made or typed, in its one spelling: upper case, no separators.
pub struct Code(SecretString);

/// What the store keeps of a code.
pub type Mac = [u8; 32];

impl Code {
    /// A fresh code of `groups` groups of four characters, 20 bits each.
    ///
    /// # Errors
    /// No randomness.
    pub fn new(random: &dyn Random, groups: usize) -> Result<Self, NoRandomness> {
        crockford::fresh(random, groups).map(Self)
    }

    /// What a person typed: any case, with spaces and dashes, and I, L, O for what they look like.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        Self(crockford::typed(text))
    }

    /// For the person who hands it over: groups of four, `7K3M-Q2ZD`.
    #[must_use]
    pub fn spelled(&self) -> SecretString {
        crockford::spelled(&self.0)
    }

    /// What the store keeps for registering `account`.
    #[must_use]
    pub fn mac_for_account(&self, pepper: &Pepper, account: &AccountName) -> Mac {
        pepper.mac(&[b"register-key", account.as_str().as_bytes(), self.0.expose_secret().as_bytes()])
    }

    /// What the store keeps of a code that was sent to whoever asked by this request, from this host, for this key.
    #[must_use]
    pub fn mac_for_request(
        &self,
        pepper: &Pepper,
        request: &MessageId,
        instance: &Fingerprint,
        commitment: &Digest,
    ) -> Mac {
        let code = self.0.expose_secret().as_bytes();
        let (request, instance) = (request.as_bytes().as_slice(), instance.as_bytes());
        pepper.mac(&[b"register-alone", code, request, instance, commitment.as_bytes()])
    }

    /// What the store keeps of a code that was sent to a new address of `account`.
    #[must_use]
    pub fn mac_for_contact(&self, pepper: &Pepper, account: &AccountName, contact: &MessageId) -> Mac {
        let code = self.0.expose_secret().as_bytes();
        pepper.mac(&[b"contact", code, account.as_str().as_bytes(), contact.as_bytes()])
    }

    /// What the store keeps for recovering `account`.
    #[must_use]
    pub fn mac_for_recovery(&self, pepper: &Pepper, account: &AccountName) -> Mac {
        pepper.mac(&[b"recovery-code", account.as_str().as_bytes(), self.0.expose_secret().as_bytes()])
    }

    /// What the store keeps of an enrolment token.
    #[must_use]
    pub fn mac_of_token(&self, pepper: &Pepper) -> Mac {
        pepper.mac(&[b"enrolment-token", b"", self.0.expose_secret().as_bytes()])
    }
}

/// Compares without telling by time where they differ.
#[must_use]
pub fn equal(one: &Mac, other: &Mac) -> bool {
    one.ct_eq(other).into()
}

/// Codes in a store: one live code for each account.
pub trait CodeStore {
    /// Gives `account` a new code; any earlier one is dead, and so is every registration that one had opened.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_code(
        &self,
        account: &AccountName,
        mac: &Mac,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), StoreError>;

    /// Says of the account's code that the key registered with it takes the place of `key`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn mark_replacement(&self, account: &AccountName, key: &Fingerprint) -> Result<(), StoreError>;

    /// Which key is replaced by the one that is registered with the account's last code, if any.
    ///
    /// # Errors
    /// [`StoreError`].
    fn replacement(&self, account: &AccountName) -> Result<Option<Fingerprint>, StoreError>;

    /// Counts one try, if one is left, and only then shows what to compare with. One statement: five tries are
    /// five however many ask at once, and however many processes they ask.
    ///
    /// # Errors
    /// [`StoreError`].
    fn try_code(&self, account: &AccountName, now: Timestamp) -> Result<Option<Mac>, StoreError>;

    /// Uses the code up, if nobody did before.
    ///
    /// # Errors
    /// [`StoreError`].
    fn use_code(&self, account: &AccountName, now: Timestamp) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests {
    use countersign_protocol::random::SystemRandom;

    use super::*;

    #[test]
    fn a_code_may_be_typed_as_people_type() {
        for typed in ["7K3M-Q2ZD", "7k3m q2zd", " 7k3mq2zd ", "7K-3M-Q2-ZD"] {
            assert_eq!(Code::typed(typed).0.expose_secret(), "7K3MQ2ZD");
        }
        assert_eq!(Code::typed("oil0-1I1L").0.expose_secret(), "01101111");
    }

    #[test]
    fn a_code_has_forty_bits_in_two_groups() {
        let code = Code::new(&SystemRandom, 2).unwrap();
        let spelled = code.spelled();
        let spelled = spelled.expose_secret();
        assert_eq!((spelled.len(), spelled.find('-')), (9, Some(4)));
        assert_eq!(Code::typed(spelled).0.expose_secret(), code.0.expose_secret());
    }

    #[test]
    fn a_code_for_one_account_is_none_for_another() {
        let pepper = Pepper::new([7; 32]);
        let code = Code::typed("7K3M-Q2ZD");
        let (ana, bob) = ("ana".parse().unwrap(), "bob".parse().unwrap());
        assert!(!equal(&code.mac_for_account(&pepper, &ana), &code.mac_for_account(&pepper, &bob)));
        assert!(!equal(&code.mac_for_account(&pepper, &ana), &code.mac_of_token(&pepper)));
    }
}
