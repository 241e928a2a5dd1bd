//! Every key that was ever seen as part of an identity belongs to that identity for ever.
//!
//! This one table is what stops a revoked host key from coming back (W2), somebody else's key from being
//! enrolled as one's own (W5), and one card from serving two accounts.

use std::cell::RefCell;
use std::sync::Arc;

use countersign_protocol::certificate::{self, Cert, Pinned};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::Keyring;
use countersign_protocol::ids::{AccountName, ApplicationName, Fingerprint, Nonce};
use sequoia_openpgp::KeyHandle;

use crate::pins::Pins;
use crate::refusal::Reason;
use crate::stop::Stop;
use crate::store::{StoreError, Transaction};

/// Whose key it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The server itself.
    Server,
    /// An application.
    Application(ApplicationName),
    /// An instance, by its primary fingerprint.
    Instance(Fingerprint),
    /// An account.
    Account(AccountName),
}

impl Owner {
    /// The word and the name in the store.
    #[must_use]
    pub fn columns(&self) -> (&'static str, String) {
        match self {
            Self::Server => ("server", String::new()),
            Self::Application(name) => ("application", name.to_string()),
            Self::Instance(fingerprint) => ("instance", fingerprint.to_string()),
            Self::Account(name) => ("account", name.to_string()),
        }
    }
}

/// Known keys in a store.
pub trait KeyStore {
    /// Makes `key` belong to `owner`. `false` if it belongs to somebody else, or was revoked.
    ///
    /// # Errors
    /// [`StoreError`].
    fn claim_key(&self, key: &Fingerprint, owner: &Owner) -> Result<bool, StoreError>;

    /// Whether `key` is nobody else's.
    ///
    /// # Errors
    /// [`StoreError`].
    fn may_hold_key(&self, key: &Fingerprint, owner: &Owner) -> Result<bool, StoreError>;

    /// Whose `key` is or was.
    ///
    /// # Errors
    /// [`StoreError`].
    fn owner(&self, key: &Fingerprint) -> Result<Option<Owner>, StoreError>;

    /// Burns the nonce of a statement. `false` if it was burned before (W15).
    ///
    /// # Errors
    /// [`StoreError`].
    fn burn_nonce(&self, nonce: &Nonce, now: Timestamp) -> Result<bool, StoreError>;
}

/// Who may sign envelopes.
pub trait SenderKeys {
    /// Certificates of applications and instances, revoked ones apart, that hold this key now. One that was retired for
    /// another key is still read: the answer to its last message may have been lost.
    ///
    /// # Errors
    /// [`StoreError`].
    fn sender_certificates(&self, key: &KeyHandle) -> Result<Vec<Vec<u8>>, StoreError>;
}

/// Makes a certificate `owner`'s.
///
/// No key in it may be anybody else's. Those whose holder proved to have them – the primary key, and signing subkeys
/// by their back signatures – are `owner`'s from now on. The others are not: anyone can put another's encryption key
/// into a certificate, and would keep its holder out.
///
/// # Errors
/// [`Reason::KeyBelongsToAnother`], or the store's.
pub fn claim_all(tx: &dyn Transaction, cert: &Cert, owner: &Owner, now: Timestamp) -> Result<(), Stop> {
    let proven: Vec<_> = cert
        .keys()
        .subkeys()
        .with_policy(certificate::policy(), now.to_system_time())
        .for_signing()
        .map(|key| key.key().fingerprint())
        .chain([cert.fingerprint()])
        .collect();
    for key in cert.keys() {
        let fingerprint = key.key().fingerprint();
        let ours = certificate::our_fingerprint(&fingerprint).map_err(Reason::certificate)?;
        let free = if proven.contains(&fingerprint) {
            tx.claim_key(&ours, owner)?
        } else {
            tx.may_hold_key(&ours, owner)?
        };
        if !free {
            return Err(Reason::KeyBelongsToAnother.into());
        }
    }
    Ok(())
}

/// A user's certificate that came from outside: strictly parsed and acceptable now.
///
/// # Errors
/// [`Reason::BadCertificate`].
pub fn receive_user(bytes: &[u8], now: Timestamp) -> Result<Cert, Reason> {
    let cert = certificate::parse(bytes).map_err(Reason::certificate)?;
    certificate::check(&cert, now).map_err(Reason::certificate)?;
    Ok(cert)
}

/// A certificate that came from outside: strictly parsed, acceptable now, and able to receive a reply.
///
/// # Errors
/// [`Reason::BadCertificate`].
pub fn receive(bytes: &[u8], now: Timestamp) -> Result<Cert, Reason> {
    let cert = receive_user(bytes, now)?;
    receives(&cert, now)?;
    Ok(cert)
}

/// Whether a reply can be sealed to `cert` now.
///
/// # Errors
/// [`Reason::BadCertificate`].
pub fn receives(cert: &Cert, now: Timestamp) -> Result<(), Reason> {
    let mut keys = cert
        .keys()
        .with_policy(certificate::policy(), now.to_system_time())
        .supported()
        .alive()
        .revoked(false)
        .for_transport_encryption();
    match keys.next() {
        Some(_) => Ok(()),
        None => Err(receives_nothing()),
    }
}

/// Why nothing is sealed to somebody.
pub(crate) fn receives_nothing() -> Reason {
    Reason::BadCertificate("it has no key that a reply could be sealed to".into())
}

/// What an envelope may be signed with: enrolled certificates and nothing else.
pub struct Enrolled<'a> {
    keys: &'a dyn SenderKeys,
    pins: &'a Pins,
    failure: RefCell<Option<StoreError>>,
}

impl<'a> Enrolled<'a> {
    /// As `keys` has them.
    #[must_use]
    pub const fn new(keys: &'a dyn SenderKeys, pins: &'a Pins) -> Self {
        Self { keys, pins, failure: RefCell::new(None) }
    }

    /// Whether everybody only seemed to be a stranger because the store did not answer.
    #[must_use]
    pub fn failure(self) -> Option<StoreError> {
        self.failure.into_inner()
    }
}

impl Keyring for Enrolled<'_> {
    fn pinned(&self, handle: &KeyHandle, now: Timestamp) -> Vec<Arc<Pinned>> {
        let stored = self.keys.sender_certificates(handle).unwrap_or_else(|error| {
            self.failure.replace(Some(error));
            Vec::new()
        });
        stored.iter().filter_map(|bytes| self.pins.sender(bytes, now).ok()).collect()
    }
}
