//! What a generation says on its way, and what it leaves behind when it fails.

use std::fmt;

use super::super::error::CardError;

/// What is being done, for a person who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Both PINs are checked.
    Checking,
    /// A key is made; large RSA keys take minutes.
    Key(&'static str),
    /// The certificate is signed.
    Certificate,
    /// The PINs are changed.
    Pins,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checking => f.write_str("checking the card's PINs"),
            Self::Key(what) => write!(f, "making the {what} key on the card"),
            Self::Certificate => f.write_str("signing the certificate with the new key"),
            Self::Pins => f.write_str("replacing the card's PINs"),
        }
    }
}

/// How a generation that failed left the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardState {
    /// As it was.
    Unchanged,
    /// Keys may be new, both PINs are the old ones.
    OldPins,
    /// The user PIN is the old one or the new one.
    UserPinUnsure,
    /// The user PIN is the new one, the admin PIN the old one.
    UserPinNew,
    /// The user PIN is the new one, the admin PIN is the old one or the new one.
    AdminPinUnsure,
    /// Both PINs are the new ones; the touch policy may be the old one.
    NewPins,
}

impl fmt::Display for CardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unchanged => "The card is as it was",
            Self::OldPins => {
                "New keys may be on the card; both PINs are still the old ones. Run the same command again"
            }
            Self::UserPinUnsure => {
                "New keys are on the card; its PIN is the old one or the new one, its admin PIN the old one. Run the same command again"
            }
            Self::UserPinNew => {
                "New keys are on the card; its PIN is the new one, its admin PIN still the old one. Run the same command again"
            }
            Self::AdminPinUnsure => {
                "New keys are on the card; its PIN is the new one, its admin PIN the old one or the new one. Run the same command again"
            }
            Self::NewPins => {
                "New keys are on the card; both PINs are the new ones. Run the same command again"
            }
        })
    }
}

/// Why there are no new keys, or none that are used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}. {state}")]
pub struct GenerateError {
    /// What happened.
    pub cause: CardError,
    /// How the card is now.
    pub state: CardState,
}
