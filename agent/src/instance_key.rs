//! This host's own keys: a primary key on the host's card or in a sealed file, and session keys bound by it.

mod session_keys;

pub use session_keys::{RENEW_BEFORE, SessionKeys};

use countersign_protocol::certificate::{self, Cert, CertificateError};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::BoxedSigner;
use countersign_protocol::ids::{CardIdent, Fingerprint};
use countersign_protocol::limits;
use countersign_protocol::message::KeyStore;
use zeroize::Zeroizing;

use crate::agent::find_card;
use crate::card::{CardError, Cards, Pin, PinError};
use crate::state::StateDir;
use crate::vault::{Protection, Slot, VaultError};

/// Keys made here claim to be this much older: see `session_keys`. More than those, whose primary this is.
pub const BACKDATE: i64 = limits::CLOCK_SKEW;

/// The key that names the instance. It signs at enrolment and when session keys change, never at a login.
pub enum Primary {
    /// In software.
    Software {
        /// With its secret key.
        cert: Box<Cert>,
        /// How it lies on the disk.
        protection: Protection,
    },
    /// On the host's card.
    Card {
        /// Which.
        ident: CardIdent,
        /// The PIN that only this host knows.
        pin: Pin,
        /// How the PIN lies on the disk.
        protection: Protection,
    },
    /// It cannot be used, and the host works until its session keys end.
    Unusable {
        /// Where it should be.
        key_store: KeyStore,
        /// Why it is not, and what to do.
        why: String,
    },
}

/// The primary key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrimaryError {
    /// It, or its PIN, is not in the store.
    #[error("the {0} is missing from the state folder. Give the host a new key: countersign host replace")]
    Missing(&'static str),
    /// The store.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The key itself.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The host's card.
    #[error("the host's card {ident}: {why}")]
    Card {
        /// Which.
        ident: CardIdent,
        /// Why.
        why: CardError,
    },
    /// The stored PIN.
    #[error("the stored PIN of the host's card: {0}")]
    Pin(#[from] PinError),
    /// Found out at the start.
    #[error("{0}")]
    Unusable(String),
}

impl Primary {
    /// A fresh software key that certifies and signs, with no subkeys yet.
    ///
    /// # Errors
    /// The library fails.
    pub fn generate_software(name: &str, now: Timestamp) -> Result<Cert, CertificateError> {
        // Without a life of its own: it ends by revocation, not by a date nobody watches.
        let cert = certificate::generate_software(name, now.plus(-BACKDATE), None)?;
        Ok(cert.retain_subkeys(|_| false))
    }

    /// Reads it back after a restart. One that cannot be read is [`Primary::Unusable`]: the host can still say so, and
    /// be given another.
    #[must_use]
    pub fn load(state: &StateDir, instance: &Fingerprint, key_store: &KeyStore) -> Self {
        Self::read(state, instance, key_store)
            .unwrap_or_else(|error| Self::Unusable { key_store: key_store.clone(), why: error.to_string() })
    }

    fn read(state: &StateDir, instance: &Fingerprint, key_store: &KeyStore) -> Result<Self, PrimaryError> {
        match key_store {
            KeyStore::Sealed => {
                let kept = Slot::instance_key(instance).load(state)?;
                let (secret, protection) = kept.ok_or(PrimaryError::Missing("instance's key"))?;
                Ok(Self::Software { cert: Box::new(certificate::parse_secret(&secret)?), protection })
            }
            KeyStore::Card(ident) => {
                let kept = Slot::host_pins(*ident).load(state)?;
                let (secret, protection) = kept.ok_or(PrimaryError::Missing("PIN of the host's card"))?;
                let pins =
                    StoredPins::parse(&secret).ok_or(PrimaryError::Missing("PIN of the host's card"))?;
                Ok(Self::Card { ident: *ident, pin: Pin::new(pins.user)?, protection })
            }
        }
    }

    /// A signer for one use.
    ///
    /// # Errors
    /// [`PrimaryError`]: the card is not there, for example.
    pub fn signer(&self, base: &Cert, cards: &Cards) -> Result<BoxedSigner, PrimaryError> {
        let key = certificate::fingerprint(base)?;
        match self {
            Self::Software { cert, .. } => Ok(Box::new(certificate::signer_of(cert, &key)?)),
            Self::Card { ident, pin, .. } => {
                let pin = pin.clone();
                let signer = find_card(cards, *ident)
                    .and_then(|_| cards.signer(*ident, base, &key, Box::new(move || Ok(pin.clone()))))
                    .map_err(|why| PrimaryError::Card { ident: *ident, why })?;
                Ok(Box::new(signer))
            }
            Self::Unusable { why, .. } => Err(PrimaryError::Unusable(why.clone())),
        }
    }

    /// The host's card, if the key is on one.
    #[must_use]
    pub const fn card(&self) -> Option<CardIdent> {
        match self {
            Self::Card { ident, .. } | Self::Unusable { key_store: KeyStore::Card(ident), .. } => {
                Some(*ident)
            }
            Self::Software { .. } | Self::Unusable { key_store: KeyStore::Sealed, .. } => None,
        }
    }

    /// Why what is on the disk is not sealed, if it is not.
    #[must_use]
    pub fn not_sealed(&self) -> Option<&str> {
        match self {
            Self::Software { protection, .. } | Self::Card { protection, .. } => protection.not_sealed(),
            Self::Unusable { .. } => None,
        }
    }

    /// Why it cannot be used, if it cannot.
    #[must_use]
    pub fn unusable(&self) -> Option<&str> {
        match self {
            Self::Unusable { why, .. } => Some(why),
            Self::Software { .. } | Self::Card { .. } => None,
        }
    }

    /// For `status`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Software { protection, .. } => protection.in_words(),
            Self::Card { ident, protection, .. } => {
                format!("card {ident}; its PIN in a {}", protection.in_words())
            }
            Self::Unusable { why, .. } => format!("nowhere it can be used: {why}"),
        }
    }
}

/// The PINs of the host's card as they lie in the vault: one a line, user's first.
pub struct StoredPins {
    /// For signing.
    pub user: secrecy::SecretString,
    /// For changing anything; kept so that an administrator with root can rescue the card.
    pub admin: secrecy::SecretString,
}

impl StoredPins {
    /// As bytes for the vault.
    #[must_use]
    pub fn to_bytes(user: &str, admin: &str) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(format!("{user}\n{admin}\n").into_bytes())
    }

    /// From the vault.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (user, admin) = text.strip_suffix('\n')?.split_once('\n')?;
        Some(Self { user: user.to_owned().into(), admin: admin.to_owned().into() })
    }
}
