//! PINs: typed by people, stored for the host's card, or made up.

use std::fmt;

use countersign_protocol::limits;
use countersign_protocol::random::{self, NoRandomness, Random};
use secrecy::{ExposeSecret as _, SecretString};

/// A PIN of acceptable length. It does not print and is wiped.
#[derive(Clone)]
pub struct Pin(SecretString);

/// Why text is not a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Shorter than any card's PIN, so it would only cost a try.
    #[error("a PIN has at least {0} characters; nothing was sent to the card")]
    TooShort(usize),
    /// Longer than any card's PIN.
    #[error("a PIN has at most {max} bytes; nothing was sent to the card", max = limits::PIN)]
    TooLong,
    /// There is none to be had, for a stored PIN.
    #[error("the stored PIN could not be read")]
    Unavailable,
}

/// Which of a card's three secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinKind {
    /// For signing and decrypting.
    User,
    /// For changing anything.
    Admin,
    /// For nothing but a new user PIN.
    ResetCode,
}

impl PinKind {
    /// Shortest in bytes (OpenPGP card 3.4.1, 4.3.1).
    #[must_use]
    pub const fn shortest(self) -> usize {
        match self {
            Self::User => 6,
            Self::Admin | Self::ResetCode => 8,
        }
    }
}

impl fmt::Display for PinKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "PIN",
            Self::Admin => "admin PIN",
            Self::ResetCode => "resetting code",
        })
    }
}

/// A PIN on its way to the card, and what may be risked for it. It is sent once, or not at all.
#[derive(Debug, Clone)]
pub struct Entered {
    pub(super) pin: Pin,
    /// How many tries the person was told are left; none for a stored PIN.
    pub(super) tries_shown: Option<u8>,
    /// The last try may be spent.
    pub(super) allow_last_try: bool,
}

impl Entered {
    /// Typed by a person who was told how many tries are left and, if it is the last one, said that it may be
    /// spent.
    #[must_use]
    pub const fn typed(pin: Pin, tries_shown: u8, allow_last_try: bool) -> Self {
        Self { pin, tries_shown: Some(tries_shown), allow_last_try }
    }

    /// Kept or known otherwise: nobody was told anything, so the last try is never spent on it.
    #[must_use]
    pub const fn stored(pin: Pin) -> Self {
        Self { pin, tries_shown: None, allow_last_try: false }
    }

    /// Whether the last try may be spent on it.
    #[must_use]
    pub const fn may_be_last(&self) -> bool {
        self.allow_last_try
    }

    /// The PIN itself.
    #[must_use]
    pub const fn pin(&self) -> &Pin {
        &self.pin
    }
}

impl Pin {
    /// A user's PIN: 6 to 127 bytes.
    ///
    /// # Errors
    /// [`PinError`]; a card would count it as a wrong try.
    pub fn new(text: SecretString) -> Result<Self, PinError> {
        Self::of(PinKind::User, text)
    }

    /// An admin PIN: 8 to 127 bytes.
    ///
    /// # Errors
    /// [`PinError`].
    pub fn admin(text: SecretString) -> Result<Self, PinError> {
        Self::of(PinKind::Admin, text)
    }

    /// A PIN of this kind.
    ///
    /// # Errors
    /// [`PinError`].
    pub fn of(kind: PinKind, text: SecretString) -> Result<Self, PinError> {
        let shortest = kind.shortest();
        match text.expose_secret().len() {
            length if length < shortest => Err(PinError::TooShort(shortest)),
            length if length > limits::PIN => Err(PinError::TooLong),
            _ => Ok(Self(text)),
        }
    }

    /// The user PIN a new card comes with. Only on somebody's word that the card is new: never to try.
    #[must_use]
    pub fn factory_user() -> Self {
        Self("123456".into())
    }

    /// The admin PIN a new card comes with.
    #[must_use]
    pub fn factory_admin() -> Self {
        Self("12345678".into())
    }

    /// One of the two that every new card comes with.
    #[must_use]
    pub fn is_factory(&self) -> bool {
        matches!(self.expose(), "123456" | "12345678")
    }

    /// Twenty characters that nobody can guess (100 bits) and every card takes.
    ///
    /// # Errors
    /// The kernel gave no randomness.
    pub fn unguessable(random: &dyn Random) -> Result<Self, NoRandomness> {
        // 32 characters, so that every byte gives five bits without bias; none looks like another.
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let bytes = zeroize::Zeroizing::new(random::array::<20>(random)?);
        let text: String = bytes
            .iter()
            .filter_map(|byte| ALPHABET.get(usize::from(byte & 31)))
            .map(|byte| char::from(*byte))
            .collect();
        Ok(Self(text.into()))
    }

    /// The text, to keep it in the sealed store. For the host card's PINs only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin")
    }
}

/// The PINs made up for the host's card. Whoever drops them without storing them has lost the card.
#[derive(Debug, Clone)]
#[must_use]
pub struct HostPins {
    /// For signing.
    pub user: Pin,
    /// For changing anything.
    pub admin: Pin,
}

impl HostPins {
    /// Made up. Store them before they are set: between the card and the file, the card must not be first.
    ///
    /// # Errors
    /// The kernel gave no randomness.
    pub fn unguessable(random: &dyn Random) -> Result<Self, NoRandomness> {
        Ok(Self { user: Pin::unguessable(random)?, admin: Pin::unguessable(random)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_protocol::random::SystemRandom;

    #[test]
    fn a_pin_no_card_could_have_is_refused_before_it_costs_a_try() {
        assert_eq!(Pin::new("12345".into()).unwrap_err(), PinError::TooShort(6));
        assert_eq!(Pin::admin("1234567".into()).unwrap_err(), PinError::TooShort(8));
        assert_eq!(Pin::new("x".repeat(128).into()).unwrap_err(), PinError::TooLong);
        assert!(Pin::new("x".repeat(127).into()).is_ok());
    }

    #[test]
    fn a_pin_does_not_print() {
        assert_eq!(format!("{:?}", Pin::factory_user()), "Pin");
    }

    #[test]
    fn made_up_pins_differ() {
        let (one, other) =
            (Pin::unguessable(&SystemRandom).unwrap(), Pin::unguessable(&SystemRandom).unwrap());
        assert_eq!(one.expose().len(), 20);
        assert_ne!(one.expose(), other.expose());
    }
}
