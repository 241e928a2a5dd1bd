//! When a card's keys want a touch (OpenPGP card 3.4.1, 4.4.3.6).

use countersign_protocol::ids::CardIdent;
use countersign_protocol::ipc::{CardSlot, TouchPolicy};

use super::super::Cards;
use super::super::apdu::Command;
use super::super::error::CardError;
use super::super::link::Exclusive;
use super::super::pin::Entered;
use super::{AdminError, Standing, open_admin};

/// A touch policy to be set.
#[derive(Debug)]
pub struct SetTouch {
    /// The admin PIN.
    pub admin: Entered,
    /// For which keys.
    pub keys: Vec<CardSlot>,
    /// Which.
    pub policy: TouchPolicy,
}

impl Cards {
    /// Sets when keys want a touch.
    ///
    /// # Errors
    /// [`AdminError`]; a card without a button, or whose policy is fixed, is refused before its admin PIN is sent.
    pub fn set_touch(&self, card: CardIdent, plan: SetTouch) -> Result<(), AdminError> {
        self.administer(card, move |exclusive, public, status, steps| {
            let mut wanted = Vec::new();
            for key in &plan.keys {
                wanted.push((*key, changeable(exclusive, *key)?));
            }
            let _open = open_admin(exclusive, public, status, &plan.admin)?;
            steps.begin(Standing::Touch);
            for (at, (key, button)) in wanted.into_iter().enumerate() {
                if let Err(error) = put(exclusive, key, plan.policy, button) {
                    if at == 0 && is_an_answer(&error) {
                        steps.begin(Standing::Unchanged);
                    }
                    return Err(error);
                }
            }
            Ok(())
        })
    }
}

/// The card said no, and nothing was lost on the way.
const fn is_an_answer(error: &CardError) -> bool {
    matches!(error, CardError::Unsupported(_) | CardError::TouchFixed(_) | CardError::Failed { .. })
}

/// The second byte of the key's data object, if its policy may be changed.
fn changeable(card: &mut Exclusive<'_>, key: CardSlot) -> Result<u8, CardError> {
    let (_, button) = read(card, key)?;
    button
}

/// The same, or none if the key has this policy already.
pub(super) fn button_for(
    card: &mut Exclusive<'_>,
    key: CardSlot,
    wanted: TouchPolicy,
) -> Result<Option<u8>, CardError> {
    let (policy, button) = read(card, key)?;
    if policy == wanted { Ok(None) } else { button.map(Some) }
}

fn read(card: &mut Exclusive<'_>, key: CardSlot) -> Result<(TouchPolicy, Result<u8, CardError>), CardError> {
    let answer = card.send(&Command::get_data(tag(key)))?;
    match (answer.status, answer.data.as_slice()) {
        (0x9000, [policy, button, ..]) => {
            let policy = policy_of(*policy);
            Ok((policy, if policy.is_final() { Err(CardError::TouchFixed(key)) } else { Ok(*button) }))
        }
        _ => Err(CardError::Unsupported(format!("it offers no touch for its {key} key"))),
    }
}

/// Writes the policy; the admin PIN is open.
pub(in super::super) fn put(
    card: &mut Exclusive<'_>,
    key: CardSlot,
    policy: TouchPolicy,
    button: u8,
) -> Result<(), CardError> {
    let command = Command::put_data(tag(key), vec![number(policy), button]);
    match card.send(&command)?.status {
        0x9000 => Ok(()),
        // Wrong data: what cards say to a policy they do not know.
        0x6A80 => Err(CardError::Unsupported(format!("it does not know the touch policy {policy}"))),
        0x6983 | 0x6985 => Err(CardError::TouchFixed(key)),
        status => Err(CardError::Failed { command: command.name, status }),
    }
}

/// The data object of a key's policy.
pub(in super::super) const fn tag(key: CardSlot) -> u16 {
    match key {
        CardSlot::Signature => 0xD6,
        CardSlot::Decryption => 0xD7,
        CardSlot::Authentication => 0xD8,
        CardSlot::Attestation => 0xD9,
    }
}

/// A policy that is unknown here wants a touch for all we know.
pub(in super::super) const fn policy_of(number: u8) -> TouchPolicy {
    match number {
        0 => TouchPolicy::Off,
        2 => TouchPolicy::Fixed,
        3 => TouchPolicy::Cached,
        4 => TouchPolicy::CachedFixed,
        _ => TouchPolicy::On,
    }
}

const fn number(policy: TouchPolicy) -> u8 {
    match policy {
        TouchPolicy::Off => 0,
        TouchPolicy::On => 1,
        TouchPolicy::Fixed => 2,
        TouchPolicy::Cached => 3,
        TouchPolicy::CachedFixed => 4,
    }
}
