//! From a typed PIN to what a card deciphers, inside one exclusive transaction.

use countersign_protocol::ids::{CardIdent, Fingerprint};
use zeroize::Zeroizing;

use super::Cards;
use super::apdu::Command;
use super::error::CardError;
use super::link::Exclusive;
use super::pin::Entered;
use super::public::{PinStatus, PublicData};
use super::unlock::{Aftermath, Purpose, Unlock, ask_used, use_once};

/// One thing to decipher.
pub(super) struct Order {
    pub(super) entered: Entered,
    /// The key that must be in the decryption slot.
    pub(super) key: Fingerprint,
    /// The data field of PSO: DECIPHER.
    pub(super) input: Vec<u8>,
}

impl Cards {
    /// The one way to it: [`decipher`] on the card's own thread.
    pub(super) fn decipher(&self, card: CardIdent, order: Order) -> Result<Zeroizing<Vec<u8>>, CardError> {
        self.under_pin(card, move |exclusive, public, status| decipher(exclusive, public, status, order))
    }
}

/// Guards, VERIFY, PSO: DECIPHER, and the PIN closed again. `status` was read in this very transaction.
fn decipher(
    card: Exclusive<'_>,
    public: &PublicData,
    status: PinStatus,
    order: Order,
) -> (Result<Zeroizing<Vec<u8>>, CardError>, Aftermath) {
    let Order { entered, key, input } = order;
    if let Err(refusal) = with_key(public, &key) {
        return (Err(refusal), Aftermath::Closed);
    }
    // No card closes this one by itself.
    let unlock = Unlock { entered, purpose: Purpose::OtherKeys, closes_itself: false };
    use_once(card, public, status, unlock, |card, _accepted| {
        match ask_used(card, &Command::decipher(input), public.decryption_touch) {
            Ok(answer) => Ok(Zeroizing::new(answer)),
            // Wrong data: the padding is none, or the point is none on the curve.
            Err(CardError::Failed { status: 0x6A80, .. }) => Err(CardError::NotDeciphered),
            Err(CardError::Failed { status: 0x6A88, .. }) => Err(CardError::NoDecryptionKey),
            Err(error) => Err(error),
        }
    })
}

/// No PIN for what this card cannot open.
fn with_key(public: &PublicData, expected: &Fingerprint) -> Result<(), CardError> {
    let [_, decryption, _] = &public.keys;
    match decryption {
        Some(found) if found == expected => Ok(()),
        Some(found) => {
            Err(CardError::DecryptionKeyMismatch { expected: expected.clone(), found: found.clone() })
        }
        None => Err(CardError::NoDecryptionKey),
    }
}
