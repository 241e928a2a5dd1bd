//! One use of a key under a PIN, inside one exclusive transaction: guards, VERIFY, the use, and the PIN closed again.

use zeroize::Zeroizing;

use super::apdu::Command;
use super::error::CardError;
use super::kdf;
use super::link::Exclusive;
use super::pin::{Entered, Pin, PinKind};
use super::public::{PinStatus, PublicData, read_pin_status};

/// The card accepted a PIN that was entered for this request. Only `verify` makes one, out of a 9000,
/// and one use of a key uses it up.
#[must_use]
pub struct PinAccepted(());

/// What is left behind on the card.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aftermath {
    /// No PIN of ours is open.
    Closed,
    /// The card was reset, or must be by dropping the connection.
    Reset,
}

/// Which PIN.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Signing,
    /// The same PIN, for every other key.
    OtherKeys,
    Admin,
}

impl Purpose {
    pub(super) const fn reference(self) -> u8 {
        match self {
            Self::Signing => 0x81,
            Self::OtherKeys => 0x82,
            Self::Admin => 0x83,
        }
    }

    pub(super) const fn kind(self) -> PinKind {
        match self {
            Self::Signing | Self::OtherKeys => PinKind::User,
            Self::Admin => PinKind::Admin,
        }
    }
}

/// A PIN, and what it is to open.
pub(super) struct Unlock {
    pub(super) entered: Entered,
    pub(super) purpose: Purpose,
    /// The card closes the PIN itself when the key was used.
    pub(super) closes_itself: bool,
}

/// Sends the PIN, if a try may be spent on it, has the key used once, and leaves no PIN open. `status` was read in this very
/// transaction.
pub(super) fn use_once<T>(
    mut card: Exclusive<'_>,
    public: &PublicData,
    status: PinStatus,
    unlock: Unlock,
    use_key: impl FnOnce(&mut Exclusive<'_>, PinAccepted) -> Result<T, CardError>,
) -> (Result<T, CardError>, Aftermath) {
    let Unlock { entered, purpose, closes_itself } = unlock;
    if let Err(refusal) = spare(purpose.kind(), status, &entered) {
        return (Err(refusal), Aftermath::Closed);
    }
    let verified = verify(&mut card, public, purpose, &entered.pin);
    // The card has it: while it waits for a touch, nobody else does.
    drop(entered);
    let accepted = match verified {
        Ok(accepted) => accepted,
        // It is not this PIN that the card minds: nobody should be sent to look for another one.
        Err(CardError::WrongPin { tries }) if tries >= status.tries_of(PinKind::User) => {
            card.end_with_reset();
            return (Err(CardError::PinNotCounted), Aftermath::Reset);
        }
        Err(error @ (CardError::WrongPin { .. } | CardError::Blocked | CardError::Unsupported(_))) => {
            return (Err(error), Aftermath::Closed);
        }
        Err(error) => {
            card.end_with_reset();
            return (Err(error), Aftermath::Reset);
        }
    };
    let result = use_key(&mut card, accepted);
    if closes_itself && result.is_ok() {
        return (result, Aftermath::Closed);
    }
    (result, close(card, purpose))
}

/// Sends the command that uses a key whose PIN was accepted, and which may want a `touch`.
pub(super) fn ask_used(
    card: &mut Exclusive<'_>,
    command: &Command,
    touch: bool,
) -> Result<Vec<u8>, CardError> {
    let answer = card.send(command)?;
    match answer.status {
        0x9000 => Ok(answer.data),
        0x6600 => Err(CardError::TouchTimeout),
        // The PIN was accepted a moment ago, in this transaction: what is missing is the touch.
        0x6982 if touch => Err(CardError::TouchTimeout),
        0x6982 => Err(CardError::PinTaken),
        status => Err(CardError::Failed { command: command.name, status }),
    }
}

/// The last moment to spare a try.
pub(super) fn spare(kind: PinKind, status: PinStatus, entered: &Entered) -> Result<(), CardError> {
    match (status.tries_of(kind), entered.tries_shown) {
        (0, _) => Err(CardError::blocked(kind)),
        (now, Some(shown)) if now < shown => Err(CardError::TriesChanged { shown, now }),
        (1, _) if !entered.allow_last_try => Err(CardError::last_try(kind)),
        _ => Ok(()),
    }
}

/// Sends the PIN, once.
pub(super) fn verify(
    card: &mut Exclusive<'_>,
    public: &PublicData,
    purpose: Purpose,
    pin: &Pin,
) -> Result<PinAccepted, CardError> {
    send_pin(card, purpose, kdf::apply(&public.kdf, pin, purpose.kind())?)
}

/// The same for what the card calls the PIN.
pub(super) fn send_pin(
    card: &mut Exclusive<'_>,
    purpose: Purpose,
    secret: Zeroizing<Vec<u8>>,
) -> Result<PinAccepted, CardError> {
    let answer = card.send(&Command::verify(purpose.reference(), secret))?;
    match answer.status {
        0x9000 => Ok(PinAccepted(())),
        status => Err(refused(card, purpose.kind(), "VERIFY", status)),
    }
}

/// What a card means that did not take a PIN.
pub(super) fn refused(
    card: &mut Exclusive<'_>,
    kind: PinKind,
    command: &'static str,
    status: u16,
) -> CardError {
    let tries = match status {
        0x6983 => 0,
        0x63C0..=0x63CF => u8::try_from(status & 0x0F).unwrap_or(0),
        // How some cards say "wrong PIN" without a number.
        0x6300 | 0x6982 => match read_pin_status(card) {
            Ok(now) => now.tries_of(kind),
            Err(error) => return error,
        },
        status => return CardError::Failed { command, status },
    };
    match tries {
        0 => CardError::blocked(kind),
        tries => CardError::wrong(kind, tries),
    }
}

/// Takes a verification back, by a reset where the card cannot otherwise.
fn close(mut card: Exclusive<'_>, purpose: Purpose) -> Aftermath {
    match card.send(&Command::forget_verification(purpose.reference())) {
        Ok(answer) if answer.status == 0x9000 => Aftermath::Closed,
        _ => {
            card.end_with_reset();
            Aftermath::Reset
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(tries_shown: Option<u8>, allow_last_try: bool) -> Entered {
        Entered { pin: Pin::factory_user(), tries_shown, allow_last_try }
    }

    /// All three with this many tries.
    fn status(tries: u8) -> PinStatus {
        PinStatus { forced: true, tries: [tries; 3], longest: [127; 3] }
    }

    #[test]
    fn a_try_is_spent_only_when_the_person_knew_what_was_left() {
        let verdict = |tries, shown, last| spare(PinKind::User, status(tries), &entered(shown, last));
        assert_eq!(verdict(3, Some(3), false), Ok(()));
        assert_eq!(verdict(3, Some(2), false), Ok(()));
        assert_eq!(verdict(2, Some(3), true), Err(CardError::TriesChanged { shown: 3, now: 2 }));
        assert_eq!(verdict(1, Some(3), true), Err(CardError::TriesChanged { shown: 3, now: 1 }));
        assert_eq!(verdict(1, Some(1), false), Err(CardError::LastTry));
        assert_eq!(verdict(1, None, false), Err(CardError::LastTry));
        assert_eq!(verdict(1, Some(1), true), Ok(()));
        assert_eq!(verdict(0, Some(0), true), Err(CardError::Blocked));
        let admin = spare(PinKind::Admin, status(1), &entered(Some(1), false));
        assert_eq!(admin, Err(CardError::AdminLastTry));
        let code = spare(PinKind::ResetCode, status(0), &entered(Some(0), true));
        assert_eq!(code, Err(CardError::NoResetCode));
    }
}
