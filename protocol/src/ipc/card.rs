//! Looking after a card: what may be asked of it, and what is told about it.
//!
//! No PIN is in here: the agent asks for each when it needs it, and gets it as a secret frame.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::binary::Binary;
use crate::clock::Timestamp;
use crate::ids::{AccountName, CardIdent, Fingerprint};

/// Everything about one card that anybody may read from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardShow {
    /// Which card, where more than one is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
}

/// Make a new card ready: keys, PINs of its owner's choice, one PIN for each signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardInit {
    /// Which card, where more than one is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
    /// As in [`super::RegisterKey::Generate`].
    pub algorithm: String,
    /// Whose name the certificate bears.
    pub user_id: String,
    /// The cardholder's name, to be written to the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cardholder: Option<String>,
    /// Where the certificate will be found, to be written to the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When the signature key wants a touch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touch: Option<TouchPolicy>,
}

/// Make new keys, PINs stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardGenerate {
    /// Which card, where more than one is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
    /// As in [`super::RegisterKey::Generate`].
    pub algorithm: String,
    /// Whose name the certificate bears.
    pub user_id: String,
}

/// Change a PIN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardChangePin {
    /// Which card, where more than one is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
    /// Which PIN.
    pub pin: CardPin,
}

/// A secret of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardPin {
    /// The user's PIN.
    User,
    /// The admin PIN.
    Admin,
    /// The resetting code, set with the admin PIN.
    ResetCode,
    /// The same, to have none.
    NoResetCode,
}

/// A new user PIN for a card that was blocked, or whose PIN was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardUnblock {
    /// Which card, where more than one is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
    /// By which right; asked where the card has both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<UnblockWith>,
}

/// By which right a card is unblocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnblockWith {
    /// The resetting code.
    ResetCode,
    /// The admin PIN.
    AdminPin,
}

/// When keys want a touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardSetTouch {
    /// Which card, where more than one is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
    /// Which keys.
    pub keys: Vec<CardSlot>,
    /// When.
    pub policy: TouchPolicy,
}

/// Would this certificate be accepted for this card?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardCheck {
    /// Which card, where more than one is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
    /// The certificate.
    pub certificate: Binary,
}

/// Erase a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardFactoryReset {
    /// Which card, where more than one is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
}

/// A place for a key on a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardSlot {
    /// Signs, and certifies.
    Signature,
    /// Decrypts.
    Decryption,
    /// Authenticates, for SSH.
    Authentication,
    /// Attests that a key was made on the card (YubiKey).
    Attestation,
}

impl fmt::Display for CardSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature => "signature",
            Self::Decryption => "decryption",
            Self::Authentication => "authentication",
            Self::Attestation => "attestation",
        })
    }
}

/// When a key wants a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TouchPolicy {
    /// Never.
    Off,
    /// Each time.
    On,
    /// Each time, and nobody can change it without erasing the card.
    Fixed,
    /// Each time, unless it was touched in the last 15 seconds (YubiKey).
    Cached,
    /// As cached, and nobody can change it without erasing the card (YubiKey).
    CachedFixed,
}

impl TouchPolicy {
    /// Nobody can change it without erasing the card.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Fixed | Self::CachedFixed)
    }
}

impl fmt::Display for TouchPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Fixed => "fixed",
            Self::Cached => "cached",
            Self::CachedFixed => "cached-fixed",
        })
    }
}

/// Last word: one card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardDetails {
    /// The reader's name.
    pub reader: String,
    /// The card.
    pub card: CardIdent,
    /// As prompts name it: `YubiKey …5678`.
    pub name: String,
    /// Who made it.
    pub maker: String,
    /// The version of the OpenPGP card specification it follows: `3.4`.
    pub specification: String,
    /// Its firmware's version, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// `host` for the card with this instance's key, `user` otherwise.
    pub role: String,
    /// Accounts known here whose key it holds.
    pub accounts: Vec<AccountName>,
    /// Its places for keys, empty ones too.
    pub keys: Vec<CardKey>,
    /// Tries left.
    pub tries: CardTries,
    /// The card wants its PIN for each signature.
    pub pin_for_each_signature: bool,
    /// The card gets hashes in place of PINs (KDF).
    pub hashed_pins: bool,
    /// The cardholder's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cardholder: Option<String>,
    /// Where the certificate is said to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Signatures made with the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<u32>,
    /// What its owner should know.
    pub warnings: Vec<String>,
}

/// A place for a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardKey {
    /// Which.
    pub slot: CardSlot,
    /// The key in it, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// What kind of key is in it, or would be made: `Ed25519`.
    pub algorithm: String,
    /// The key's creation time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Made on the card, or brought to it, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_on_card: Option<bool>,
    /// When it wants a touch; none if the card cannot tell or has no button.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touch: Option<TouchPolicy>,
}

/// Tries left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardTries {
    /// For the user's PIN.
    pub user: u8,
    /// For the resetting code; 0 also where there is none.
    pub reset_code: u8,
    /// For the admin PIN.
    pub admin: u8,
}

/// Last word: the card has new keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardMade {
    /// The card.
    pub card: CardIdent,
    /// The certificate's primary fingerprint.
    pub fingerprint: Fingerprint,
    /// Its key words.
    pub key_words: String,
    /// The certificate.
    pub certificate: Binary,
}

/// Last word: the card was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardChanged {
    /// The card.
    pub card: CardIdent,
    /// What was done.
    pub change: CardChange,
    /// The same for the person, and what to do next.
    pub message: String,
}

/// What was done to a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardChange {
    /// A PIN or code is another one.
    Pin,
    /// The user's PIN is a new one, with all its tries.
    Unblocked,
    /// Keys want a touch at other times.
    Touch,
    /// Everything on it is gone.
    Erased,
}

/// Last word: how a certificate fits a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardChecked {
    /// The card.
    pub card: CardIdent,
    /// The certificate's primary fingerprint.
    pub certificate: Fingerprint,
    /// `register --adopt` would take it.
    pub accepted: bool,
    /// What was found, in the order it should be read.
    pub findings: Vec<CardFinding>,
}

/// One thing about a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardFinding {
    /// It is why the certificate is not accepted.
    pub refuses: bool,
    /// What it is.
    pub text: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}
