//! `countersign card set-touch`: when keys want a touch.

use clap::{Args, ValueEnum};
use countersign_protocol::ipc::{CardSetTouch, CardSlot, Request, TouchPolicy};

use super::change;
use crate::args::{CardChoice, Global};
use crate::failure::Failure;
use crate::output::Report;

/// Set when a card's keys want a touch, with the admin PIN.
///
/// Logins use the signature key: with a touch, a program that learned the PIN still cannot log in by itself. fixed
/// and cached-fixed stay until the card is erased.
#[derive(Debug, Args)]
pub(crate) struct SetTouch {
    /// When to want a touch.
    #[arg(value_enum)]
    policy: Policy,

    /// For which keys.
    #[arg(long = "key", value_enum, value_name = "KEY", default_values_t = [Key::Signature])]
    keys: Vec<Key>,

    #[command(flatten)]
    card: CardChoice,
}

/// As the card knows them.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Policy {
    /// Never
    Off,
    /// Each time
    On,
    /// Each time, for ever
    Fixed,
    /// Each time, but for 15 seconds after a touch (YubiKey)
    Cached,
    /// As cached, for ever (YubiKey)
    CachedFixed,
}

impl From<Policy> for TouchPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Off => Self::Off,
            Policy::On => Self::On,
            Policy::Fixed => Self::Fixed,
            Policy::Cached => Self::Cached,
            Policy::CachedFixed => Self::CachedFixed,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Key {
    Signature,
    Decryption,
    Authentication,
    Attestation,
}

impl From<Key> for CardSlot {
    fn from(key: Key) -> Self {
        match key {
            Key::Signature => Self::Signature,
            Key::Decryption => Self::Decryption,
            Key::Authentication => Self::Authentication,
            Key::Attestation => Self::Attestation,
        }
    }
}

impl SetTouch {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let keys = self.keys.iter().map(|key| (*key).into()).collect();
        let request = CardSetTouch { card: self.card.card, keys, policy: self.policy.into() };
        change(global, &Request::CardSetTouch(request))
    }
}
