//! Changing a card: PINs, touch, and everything at once.
//!
//! Each change is one exclusive transaction that ends with a reset, after which everything known of the card
//! is read anew. Before a command whose answer may be lost, [`Standing`] says how the card is if it is.

mod change_pin;
mod factory_reset;
mod personal;
mod touch;
mod unblock;

use std::fmt;
use std::time::Duration;

use countersign_protocol::ids::CardIdent;
use countersign_protocol::limits;

use super::Cards;
use super::error::CardError;
use super::kdf;
use super::link::Exclusive;
use super::pin::{Entered, Pin, PinKind};
use super::public::{PinStatus, PublicData};
use super::seen::CardSeen;
use super::unlock::{Aftermath, PinAccepted, Purpose, spare, verify};
use super::worker::Steps;

pub(super) use personal::from_field;
pub(super) use touch::{policy_of, tag as touch_tag};

pub use change_pin::{ChangePin, SetResetCode};
pub use factory_reset::FactoryReset;
pub use personal::Personal;
pub use touch::SetTouch;
pub use unblock::{Unblock, UnblockBy};

/// How a change that failed left the card, and what to do then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As it was.
    Unchanged,
    /// This secret is the old one or the new one.
    Unsure(PinKind),
    /// The user PIN is the new one, with all its tries.
    Unblocked,
    /// The user PIN is the end of the typed one: the resetting code was typed without its own.
    OtherPin,
    /// Some keys may have the new touch policy.
    Touch,
    /// Its PINs are being blocked, so that it can be erased.
    Blocking,
    /// It is as before but for its PINs, or erased, or between.
    Erasing,
    /// Erased, and not ready for use.
    Terminated,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unchanged => "Nothing was changed",
            Self::Unsure(PinKind::User) => {
                "Its PIN is the old one or the new one. Put it in and run the command again with the old one; if that is wrong, which costs a try, the new one holds"
            }
            Self::Unsure(PinKind::Admin) => {
                "Its admin PIN is the old one or the new one. Put it in and run the command again with the old one; if that is wrong, which costs a try, the new one holds"
            }
            Self::Unsure(PinKind::ResetCode) => {
                "Its resetting code is the old one or the new one. Put it in and set it again: countersign card change-pin --reset-code"
            }
            Self::Unblocked => "Its PIN is the new one, and all its tries are there",
            Self::OtherPin => {
                "The card took a PIN, but not the one that was typed: the resetting code was typed without its end. Run this again with the whole code: countersign card unblock"
            }
            Self::Touch => {
                "Some of its keys may want a touch differently already. Put it in and run the command again; countersign card show tells how it stands"
            }
            Self::Blocking => {
                "Its keys are still there; its PINs are blocked, or some of their tries are spent. To go on erasing it: countersign card factory-reset"
            }
            Self::Erasing => {
                "It is erased, or about to be. Put it in and run this again: countersign card factory-reset"
            }
            Self::Terminated => {
                "It is erased, but perhaps not ready for use. Put it in; if countersign card list does not know its number, finish with: countersign card factory-reset"
            }
        })
    }
}

/// Why a change was not made, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}. {standing}")]
pub struct AdminError {
    /// What happened.
    pub cause: CardError,
    /// How the card is now.
    pub standing: Standing,
}

impl From<CardError> for AdminError {
    fn from(cause: CardError) -> Self {
        Self { cause, standing: Standing::Unchanged }
    }
}

impl Cards {
    /// How each of its secrets stands, asked from the card now.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn pins(&self, card: CardIdent) -> Result<PinReport, CardError> {
        let report = self.quick(card, move |slot| {
            slot.with_card_anew(card, |_, public, status| {
                (Ok(PinReport { status, hashed: kdf::is_on(&public.kdf) }), Aftermath::Closed)
            })
        })?;
        self.readers.note_tries(card, report.tries(PinKind::User));
        Ok(report)
    }

    /// Changes a card, and has everything about it read anew.
    pub(super) fn change<T: Send + 'static, S: Send + 'static>(
        &self,
        card: CardIdent,
        limit: Duration,
        on_step: &mut dyn FnMut(S),
        job: impl FnOnce(&mut Exclusive<'_>, &PublicData, PinStatus, &Steps<S>) -> Result<T, CardError>
        + Send
        + 'static,
    ) -> Result<T, CardError> {
        let (made, public) = self.readers.ask(card, limit, on_step, move |slot, steps| {
            let made = slot.with_card_anew(card, |mut exclusive, public, status| {
                let made = job(&mut exclusive, public, status, steps);
                exclusive.end_with_reset();
                (made, Aftermath::Reset)
            });
            // Everything read before is stale now, and the next login shall not find it.
            slot.forget();
            Ok((made, slot.look().ok()))
        })?;
        match public {
            Some(public) => {
                self.readers.note(card, |seen| *seen = CardSeen::of(&seen.reader, &public));
            }
            None => self.readers.read_again(card),
        }
        made
    }

    /// A change that is over in a few commands.
    fn administer<T: Send + 'static>(
        &self,
        card: CardIdent,
        job: impl FnOnce(&mut Exclusive<'_>, &PublicData, PinStatus, &Steps<Standing>) -> Result<T, CardError>
        + Send
        + 'static,
    ) -> Result<T, AdminError> {
        let mut standing = Standing::Unchanged;
        let done = self.change(card, self.readers.timing.answer, &mut |step| standing = step, job);
        // The last word about the card was said before whatever failed began.
        done.map_err(|cause| AdminError { cause, standing })
    }
}

/// How a card's secrets stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinReport {
    status: PinStatus,
    hashed: bool,
}

impl PinReport {
    /// Tries left. A resetting code that was never set has none.
    #[must_use]
    pub const fn tries(self, kind: PinKind) -> u8 {
        self.status.tries_of(kind)
    }

    /// Longest in bytes that the card, or the way to it, takes.
    #[must_use]
    pub fn longest(self, kind: PinKind) -> usize {
        // A card that gets hashes takes every length.
        if self.hashed { limits::PIN } else { usize::from(self.status.longest_of(kind)).min(limits::PIN) }
    }
}

/// Proves the admin PIN, which opens everything that follows in this transaction.
fn open_admin(
    card: &mut Exclusive<'_>,
    public: &PublicData,
    status: PinStatus,
    admin: &Entered,
) -> Result<PinAccepted, CardError> {
    spare(PinKind::Admin, status, admin)?;
    verify(card, public, Purpose::Admin, &admin.pin)
}

/// A new secret must fit the card; with hashes every length does.
pub(super) fn check_length(
    kind: PinKind,
    public: &PublicData,
    status: PinStatus,
    new: &Pin,
) -> Result<(), CardError> {
    let report = PinReport { status, hashed: kdf::is_on(&public.kdf) };
    if new.expose().len() > report.longest(kind) {
        return Err(CardError::NewPin { which: kind, why: "it is too long for this card" });
    }
    Ok(())
}
